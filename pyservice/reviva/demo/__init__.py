"""A whole reviva with simulated visitors, to be watched, and checked against the truth."""

from reviva.demo.facts import Facts, facts
from reviva.demo.probe import Latency, Probe
from reviva.demo.server import Server, free_settings
from reviva.demo.verify import Difference, stored, verify

__all__ = ["Difference", "Facts", "Latency", "Probe", "Server", "facts", "free_settings", "stored", "verify"]
