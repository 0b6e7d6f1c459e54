"""Servers that fail on schedule, one for each protocol."""

from collections.abc import Iterator

import pytest
from grpc_double import GrpcDouble
from http_double import HttpDouble
from server_double import ServerDouble


@pytest.fixture
def http() -> Iterator[HttpDouble]:
    with HttpDouble() as server:
        yield server


@pytest.fixture
def grpc() -> Iterator[GrpcDouble]:
    with GrpcDouble() as server:
        yield server


@pytest.fixture(params=["http", "grpc"])
def server(request: pytest.FixtureRequest) -> ServerDouble:
    return request.getfixturevalue(request.param)
