"""The ``reviva`` command."""

from reviva.cli.app import main

__all__ = ["main"]
