"""Structured logs: one line per problem, never one per request."""

import logging
import sys
from typing import Literal

import structlog
from structlog.dev import RichTracebackFormatter
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "text", "json"]

_NOISY = {
    "uvicorn": logging.WARNING,
    "asyncio": logging.WARNING,
    # They warn of every try that fails; whoever tries tells it once.
    "urllib3": logging.ERROR,
    "clickhouse_connect": logging.ERROR,
}


def configure_logging(level: Level = "info", form: Format = "auto", **context: object) -> None:
    """Sends all logs, our own and libraries', to standard error; ``context`` (``role="gateway"``) is on every line."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        lambda _logger, _method, line: {**context, **line},  # not context variables: threads have their own
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # Without local variables, which hold keys and events.
    rendering: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=RichTracebackFormatter(show_locals=False))]
        if as_text
        else [ExceptionRenderer(ExceptionDictTransformer(show_locals=False)), structlog.processors.JSONRenderer()]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(_is_worth_telling)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    # Levels of their loggers would do, had clickhouse-connect not one of its own mind for urllib3's.
    return all(record.levelno >= least for library, least in _NOISY.items() if record.name.startswith(library))


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log
