"""One processor process: its parts, how they start and how they end."""

import signal
from threading import Event

from reviva._engine import JournalReader, Processor
from reviva.config import Settings
from reviva.lock import exclusive
from reviva.pipeline.checkpoint import CheckpointFile
from reviva.pipeline.health import HealthServer
from reviva.pipeline.loop import Pipeline
from reviva.pipeline.metrics import Metrics
from reviva.pipeline.retry import Retrier, StoppedError
from reviva.store.client import StoreClient
from reviva.store.connect import connect_writer
from reviva.store.migrate import migrate
from reviva.telemetry import logger

log = logger(__name__)


def run_processor(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT: waits for the store, brings its schema up to date, then moves events into it.

    Raises a ``RevivaError`` where another processor has the data directory, the checkpoint is lost or damaged, or the
    schema cannot be applied.
    """
    metrics = Metrics()
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with (
        exclusive(settings.data_dir / "processor.lock", "processor"),
        HealthServer(settings.processor.http, metrics) as health,
        connect_writer(settings) as store,
    ):
        try:
            Retrier(stopping, settings.processor.retry_max_s, metrics)(lambda: _prepare(store, settings.cluster))
        except StoppedError:
            return
        while not stopping.is_set():
            _open(settings, store, metrics, stopping).run(health.set_ready)


def _prepare(store: StoreClient, cluster: str) -> None:
    store.ping()
    applied = migrate(store, cluster)
    if applied:
        log.info("schema is up to date", applied=applied)


def _open(settings: Settings, store: StoreClient, metrics: Metrics, stopping: Event) -> Pipeline:
    checkpoints = CheckpointFile(settings.checkpoint_file)
    checkpoint = checkpoints.load()
    settings.journal_dir.mkdir(parents=True, exist_ok=True)
    settings.known_ids_dir.mkdir(exist_ok=True)
    return Pipeline(
        journal=JournalReader(str(settings.journal_dir), checkpoint.positions),
        engine=Processor(
            checkpoint.rules_to_begin_with(settings.rules_json),
            clock_ms=checkpoint.clock_ms,
            batch_number=checkpoint.batch_number,
            known_ids_bytes=settings.processor.known_ids_bytes,
            known_ids_dir=str(settings.known_ids_dir),
            shards=checkpoint.shards_to_begin_with(settings.processor.shards),
        ),
        store=store,
        checkpoints=checkpoints,
        checkpoint=checkpoint,
        settings=settings.processor,
        rules=settings.rules_json,
        metrics=metrics,
        stopping=stopping,
    )
