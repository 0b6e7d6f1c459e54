"""The version, which events carry as that of their library."""

__version__ = "0.1.0"
