"""ClickHouse's exceptions as its HTTP interface tells them."""

import re
from http import HTTPStatus

SYNTAX_ERROR = 62
UNKNOWN_SETTING = 115
INCOMPATIBLE_COLUMNS = 122
TIMEOUT_EXCEEDED = 159
READONLY = 164
TOO_MANY_SIMULTANEOUS_QUERIES = 202
SOCKET_TIMEOUT = 209
NOT_IMPLEMENTED = 48
QUERY_IS_TOO_LARGE = 426
BAD_ARGUMENTS = 36
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
INTO_OUTFILE_NOT_ALLOWED = 277
UNKNOWN_COMPRESSION_METHOD = 89
CHECKSUM_DOESNT_MATCH = 40
CANNOT_DECOMPRESS = 271
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
UNKNOWN_EXCEPTION = 1002

_STATUS_BY_CODE = {
    HTTPStatus.FORBIDDEN: (192, 193, 497, 511, 516),
    HTTPStatus.UNAUTHORIZED: (194,),
    HTTPStatus.BAD_REQUEST: (
        *(6, 15, 16, 25, 26, 27, 36, 38, 41, 44, 53, 62, 69, 72, 117, 167, 168, 223),
        *(305, 376, 427, 441, 675, 676),
    ),
    HTTPStatus.NOT_FOUND: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 145, 336, 493),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (QUERY_IS_TOO_LARGE,),
    HTTPStatus.NOT_IMPLEMENTED: (NOT_IMPLEMENTED,),
    HTTPStatus.SERVICE_UNAVAILABLE: (76, SOCKET_TIMEOUT, 439),
    HTTPStatus.LENGTH_REQUIRED: (381,),
    HTTPStatus.REQUEST_TIMEOUT: (TIMEOUT_EXCEEDED,),
}
_STATUS = {code: status for status, codes in _STATUS_BY_CODE.items() for code in codes}
_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")
_VERSION = re.compile(r" \(version [^()]*(\([^()]*\))?\)")
_REPEATED_NAME = re.compile(r"\.?( \([A-Z0-9_]+\))(?:\.?\1)+$")


class ClickHouseError(Exception):
    """An exception with ClickHouse's code; ``str()`` is its text without code and version."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that ClickHouse answers for this code."""
        return _STATUS.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR)

    def body(self, version: str) -> str:
        """The text of the response."""
        return f"Code: {self.code}. DB::Exception: {self} (version {version})\n"


def from_chdb(error: Exception) -> ClickHouseError:
    """Reads code and text out of an exception of chDB, which may wrap ClickHouse's once or twice."""
    text = _VERSION.sub("", str(error)).strip()
    found = _CODE.search(text)
    if not found:
        return ClickHouseError(UNKNOWN_EXCEPTION, text)
    message = text[found.end() :]
    while nested := _CODE.match(message):
        message = message[nested.end() :]
    return ClickHouseError(int(found[1]), _REPEATED_NAME.sub(r".\1", message))
