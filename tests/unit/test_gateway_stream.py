import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviva._pb.v1 import ingest_pb2
from reviva.gateway.rpc_stream import sequence_of


@given(st.integers(1, 2**64 - 1), st.binary())
def test_the_sequence_is_read_whatever_follows(sequence: int, rest: bytes) -> None:
    message = ingest_pb2.IngestStreamRequest(sequence=sequence).SerializeToString()
    assert sequence_of(message + rest) == sequence


@pytest.mark.parametrize("message", [b"", b"\x12\x00", b"\x08", b"\x08\xff\xff", b"\x08" + b"\xff" * 20])
def test_a_message_without_one_has_0(message: bytes) -> None:
    assert sequence_of(message) == 0
