"""Requests as multipart forms, which clients send where parameters are too long for a URL."""

import dataclasses
from email.parser import BytesParser
from email.policy import HTTP

from reviva.store.embedded import exceptions
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.store.embedded.request import Request


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form."""
    return content_type.lower().startswith("multipart/form-data")


def with_fields(request: Request, content_type: str, body: bytes) -> Request:
    """The request with the ``query`` and ``param_*`` fields of its form. Raises :class:`ClickHouseError`."""
    fields = _fields(content_type, body)
    params = {name.removeprefix("param_"): value for name, value in fields.items() if name.startswith("param_")}
    return dataclasses.replace(
        request, query=request.query + fields.get("query", ""), params={**request.params, **params}
    )


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    fields = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        name = part.get_param("name", "", header="content-disposition")
        if part.get_filename() is not None:
            raise ClickHouseError(
                exceptions.NOT_IMPLEMENTED,
                f"External data ({name}) is not supported by the embedded server. (NOT_IMPLEMENTED)",
            )
        content = part.get_payload(decode=True)
        fields[str(name)] = _text(content) if isinstance(content, bytes) else ""
    return fields


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ClickHouseError(exceptions.BAD_ARGUMENTS, "The form is not UTF-8. (BAD_ARGUMENTS)") from None
