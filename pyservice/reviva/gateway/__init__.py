"""The gateway role: takes events in over HTTP and gRPC, and acknowledges them once the journal has them on disk."""

from reviva.gateway.main import Gateway, run_gateway

__all__ = ["Gateway", "run_gateway"]
