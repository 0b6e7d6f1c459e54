"""What the processor tells Prometheus."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_RECORDS = (1, 10, 100, 500, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000)


class Metrics:
    """One processor's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.lag_records = self._gauge("lag_records", "Durable records that no batch has taken yet")
        self.lag_bytes = self._gauge("lag_bytes", "Their bytes")
        self.lag_seconds = self._gauge(
            "lag_seconds", "Age of the oldest event that is being processed or inserted; 0: none is"
        )
        self.delay_seconds = self._histogram(
            "delay_seconds", "From an event's receipt to being queryable, oldest of its batch", _SECONDS
        )
        self.batch_records = self._histogram("batch_records", "Records of a batch", _RECORDS)
        self.batch_bytes = self._counter("batch_bytes", "Bytes of all batches")
        self.process_seconds = self._histogram("process_seconds", "Time to process a batch", _SECONDS)
        self.insert_seconds = self._histogram(
            "insert_seconds", "Time to insert a batch, all tables and tries", _SECONDS
        )
        self.is_store_away = False
        self._gauge("store_is_away", "1 while the store does not answer").set_function(lambda: self.is_store_away)
        self.store_retries = self._counter("store_retries", "Inserts that were tried again")
        self.rows_refused = self._counter("rows_refused", "Rows that the store refused for good", "table")
        self._results = self._counter(
            "results", "What batches became: events, duplicates, collisions, merges, ...", "result"
        )
        self._state = self._gauge("state", "What the processor holds in memory", "what")

    def show_batch(self, records: int, size: int, results: Mapping[str, int], state: Mapping[str, int]) -> None:
        """A batch was processed; ``results`` is its ``Blocks.stats``, ``state`` the ``Processor.stats()`` after it."""
        self.batch_records.observe(records)
        self.batch_bytes.inc(size)
        for result, number in results.items():
            self._results.labels(result).inc(number)
        for what, number in state.items():
            self._state.labels(what).set(number)

    def show_lag(self, records: int, size: int, seconds: float) -> None:
        """How far the processor is behind."""
        self.lag_records.set(records)
        self.lag_bytes.set(size)
        self.lag_seconds.set(seconds)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"reviva_processor_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"reviva_processor_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"reviva_processor_{name}", text, buckets=buckets, registry=self.registry)
