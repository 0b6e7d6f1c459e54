"""The gateway role: takes events in over HTTP and gRPC, and acknowledges them once the journal has them on disk."""
