"""The processor role: journal → Processor → store, in order, once."""

from reviva.pipeline.role import run_processor

__all__ = ["run_processor"]
