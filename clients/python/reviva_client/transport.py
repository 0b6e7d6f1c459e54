"""What carries a request to the server, and the three ways in which a try can end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from reviva_client.codec import Codec, Entry
from reviva_client.options import Options


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with an event of a request that was taken."""

    index: int
    code: str
    message: str
    path: str
    is_accepted: bool = False
    """Whether the event is kept all the same."""


class TryAgainError(Exception):
    """The batch may have arrived or not; a later try may succeed."""

    def __init__(self, reason: str, after_s: float = 0) -> None:
        super().__init__(reason)
        self.after_s = after_s
        """The server asks for so much patience; 0: it says nothing."""


class RequestRefusedError(Exception):
    """Nothing was kept, and the same request will always be refused."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RequestTooLargeError(RequestRefusedError):
    """Smaller batches may be taken."""


class Transport(Protocol):
    """A connection that opens by itself, and again."""

    async def deliver(self, entries: Sequence[Entry]) -> list[Verdict]:
        """Tries once; returns when the server has taken the request."""

    async def close(self) -> None:
        """Ends the connection."""


def codec_of(options: Options) -> Codec:
    """The wire format that goes with the URL."""
    if _is_grpc(options.url):
        from reviva_client.proto_codec import ProtoCodec  # noqa: PLC0415 — who uses HTTP need not load it

        return ProtoCodec()
    from reviva_client.json_codec import JsonCodec  # noqa: PLC0415

    return JsonCodec()


def transport_of(options: Options, codec: Codec) -> Transport:
    """The transport that goes with the URL."""
    if _is_grpc(options.url):
        from reviva_client.grpc_transport import GrpcTransport  # noqa: PLC0415

        return GrpcTransport(options, codec)
    from reviva_client.http_transport import HttpTransport  # noqa: PLC0415

    return HttpTransport(options, codec)


def _is_grpc(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "grpc", "grpcs"} or not parts.hostname:
        raise ValueError(f"{url!r} is not of the form http(s)://host:port or grpc(s)://host:port")
    return parts.scheme.startswith("grpc")
