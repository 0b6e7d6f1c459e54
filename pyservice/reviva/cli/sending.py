"""How commands send events: by the Python client, with a key of their own where none is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from socket import create_connection
from typing import Annotated, Literal

import typer

from reviva.cli.projects import temporary_key
from reviva.config import Address, Settings
from reviva.errors import RevivaError

_CONNECT_S = 5.0
_HOW_TO_INSTALL = (
    "pip install the reviva_client-*.whl that was built beside reviva's, "
    "or ./clients/python of a clone of its repository"
)

Transport = Literal["http", "grpc"]
Project = Annotated[
    str | None,
    typer.Option("--project", "-p", help="Whose events, where no key is given [dim](default: demo)[/]"),
]


@contextmanager
def sending_key(settings: Settings, key: str | None, project: str | None, purpose: str) -> Iterator[str]:
    """``key``, or one that is made for as long as this lasts. Says in a line what is missing for sending at all."""
    if find_spec("reviva_client") is None:
        raise RevivaError(f"{purpose} sends by reviva-client, which is not installed: {_HOW_TO_INSTALL}")
    _check_gateway(settings.http)
    if key:
        yield key
        return
    with temporary_key(settings, project or "demo", purpose) as made:
        yield made


def url_of(settings: Settings, transport: Transport) -> str:
    """Of the gateway, for the client."""
    address = settings.grpc if transport == "grpc" else settings.http
    host = f"[{address.client_host}]" if ":" in address.client_host else address.client_host
    return f"{transport}://{host}:{address.port}"


def _check_gateway(address: Address) -> None:
    try:
        create_connection((address.client_host, address.port), _CONNECT_S).close()
    except OSError as error:
        raise RevivaError(f"no gateway answers at {address} ({error}): is `reviva serve` running?") from None
