"""The errors that reviva raises on purpose: each says what is wrong, where, and what to do."""


class RevivaError(Exception):
    """Base of all errors that are meant for people; the command line prints ``str()`` of it and no traceback."""


class ConfigError(RevivaError):
    """A setting is unknown, of the wrong form, or does not go with the others."""
