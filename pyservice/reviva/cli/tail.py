"""``reviva tail``."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
import typer
from rich.text import Text

from reviva import config
from reviva.cli.console import err, out
from reviva.cli.options import Config, DataDir, Http, Key
from reviva.cli.projects import temporary_key
from reviva.config import Settings
from reviva.errors import RevivaError

_OK = 200
_STYLES = {"rage_click": "red", "error_occurred": "red", "booking_complete": "green", "order_completed": "green"}
_DETAILS = ("page_path", "element", "form_id", "revenue", "currency")


class TailError(RevivaError):
    """The live tail cannot be watched."""


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Looking")(tail)


def tail(
    project: Annotated[str, typer.Option("--project", "-p", help="Whose events; not needed with a key.")] = "demo",
    key: Key = None,
    event_type: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="Only events of this type; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="End after so many events; 0: at Ctrl-C.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, as the gateway sends it.")] = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
) -> None:
    """Shows a project's events as they arrive, until Ctrl-C; where no key is given, for a day at most."""
    settings = config.load(config=config_file, data_dir=data_dir, http=http)
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        good_key = key or stack.enter_context(temporary_key(settings, project, "reviva tail"))
        response = _connect(settings, good_key, event_type or [])
        err.print("Watching; Ctrl-C ends.", style="dim")
        shown = 0
        for line in _events(response):
            shown += _show_json(line) if json else _show(orjson.loads(line))
            if shown == limit > 0:
                return


def _connect(settings: Settings, key: str, event_types: list[str]) -> HTTPResponse:
    path = "/v1/live?" + urlencode([("event_type", name) for name in event_types])
    connection = HTTPConnection(settings.http.client_host, settings.http.port)
    try:
        connection.request("GET", path, headers={"authorization": f"Bearer {key}"})
        response = connection.getresponse()
    except (OSError, HTTPException) as error:
        raise TailError(f"no gateway answers at {settings.http} ({error}): is `reviva serve` running?") from None
    if response.status != _OK:
        raise TailError(f"the gateway refuses: {_message(response.read())}")
    return response


def _events(response: HTTPResponse) -> Iterator[bytes]:
    """The data of server-sent events."""
    try:
        for line in response:
            if line.startswith(b"data: "):
                yield line.removeprefix(b"data: ").strip()
    except (OSError, HTTPException) as error:
        raise TailError(f"the gateway ended the connection ({error})") from None


def _show_json(line: bytes) -> int:
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()
    return 0 if line.startswith(b'{"skipped":') else 1


def _show(event: dict[str, Any]) -> int:
    if "skipped" in event:
        err.print(f"… and {event['skipped']} more", style="dim")
        return 0
    event_type = event.get("event_type", "")
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(str(event.get("timestamp", ""))[11:23] + "  ", "dim")
    text.append(f"{event_type:18} ", _STYLES.get(event_type, "cyan"))
    text.append(f"{event.get('anonymous_id') or event.get('user_id') or '':24.24} ", "magenta")
    text.append(" ".join(str(event[name]) for name in _DETAILS if event.get(name)))
    out.print(text)
    return 1


def _message(body: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(orjson.loads(body)["error"]["message"])
    return body.decode(errors="replace")[:500]
