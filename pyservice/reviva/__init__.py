"""reviva: customer behaviour in, sessions and answers out."""

from reviva._engine import __version__

__all__ = ["__version__"]
