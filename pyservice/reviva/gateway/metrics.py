"""What a gateway process counts, for Prometheus.

All gateway processes share one port, so a scrape reaches any of them. Each therefore keeps its numbers in mapped files
in ``DATA/metrics`` (prometheus-client's multi-process mode), named by its lane, and whichever is asked answers for all.
A restarted process goes on where its counters stood.
"""

import os
from pathlib import Path
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from reviva._engine import Intaken

_ACK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The metrics of one gateway process; make one per process."""

    def __init__(self, directory: Path, index: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = str(directory)
        self._process = f"gateway{index}"
        # The library chooses this on import by an environment variable; we know the directory only now.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = self._directory
        values.ValueClass = values.MultiProcessValue(lambda: self._process)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"reviva_gateway_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"reviva_gateway_{name}", meaning, registry=registry, multiprocess_mode="livesum")

        requests = counter("requests", "Requests taken in, by wire format.", "format")
        self._requests = {form: requests.labels(form) for form in ("proto", "json", "ndjson", "segment")}
        self._refused = counter("refused_requests", "Requests of which nothing was kept, by code.", "code")
        self._events = counter("events", "Events by verdict: accepted, or the code of the rejection.", "code")
        self._accepted = self._events.labels("accepted")
        self._received_bytes = counter("received_bytes", "Bodies as received.")
        self._record_bytes = counter("record_bytes", "Records appended to the journal.")
        self._ack = Histogram(
            "reviva_gateway_ack_seconds",
            "From a request's arrival to its acknowledgement.",
            buckets=_ACK_BUCKETS,
            registry=registry,
        )
        self.backlog_bytes = gauge("backlog_bytes", "Journal bytes that the processor has not released.")
        self.inflight_bytes = gauge("inflight_bytes", "Bodies being read, decoded or written.")
        self.live_subscribers = gauge("live_subscribers", "Viewers of the live tail.")

    def count_request(self, form: str, size: int, intaken: Intaken) -> None:
        """A request that was taken in."""
        self._requests[form].inc()
        self._received_bytes.inc(size)
        self._record_bytes.inc(intaken.bytes)
        if intaken.accepted:
            self._accepted.inc(intaken.accepted)
        if intaken.rejected:
            for code, number in intaken.rejected_by_code.items():
                self._events.labels(code).inc(number)

    def count_refused(self, code: str) -> None:
        """A request that was refused."""
        self._refused.labels(code).inc()

    def count_ack(self, began: float) -> None:
        """A request that was acknowledged, having begun at that ``perf_counter()``."""
        self._ack.observe(perf_counter() - began)

    def exposition(self) -> bytes:
        """The numbers of all gateway processes, in Prometheus' text format."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=self._directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def close(self) -> None:
        """Takes this process out of the gauges."""
        mark_process_dead(self._process, self._directory)  # type: ignore[no-untyped-call]
