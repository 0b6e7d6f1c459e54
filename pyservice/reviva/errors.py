"""The errors that reviva raises on purpose: each says what is wrong, where, and what to do."""


class RevivaError(Exception):
    """Base of all errors that are meant for people; the command line prints ``str()`` of it and no traceback."""


class ConfigError(RevivaError):
    """A setting is unknown, of the wrong form, or does not go with the others."""


class StoreError(RevivaError):
    """ClickHouse did not do what was asked."""


class StoreUnavailableError(StoreError):
    """It is away, starting, overloaded or lacks a table: the same request may succeed later."""


class StoreRefusedError(StoreError):
    """It will never take this: the request or a row in it is wrong."""
