"""The numbers as a page for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

_ROWS = (
    ("Engine, one core", ""),
    ("engine_proto_events_per_core_s", "events/s, protobuf to blocks"),
    ("engine_json_events_per_core_s", "events/s, JSON to blocks"),
    ("decode_only_events_per_core_s", "events/s, protobuf to records"),
    ("decode_only_json_events_per_core_s", "events/s, JSON to records"),
    ("parse_only_events_per_core_s", "events/s, protobuf to Python's messages, by protobuf itself"),
    ("parse_only_json_events_per_core_s", "events/s, JSON to Python's dicts, by orjson"),
    ("Whole way, full load", ""),
    ("e2e_grpc_events_s", "events/s until queryable, gRPC streams"),
    ("e2e_grpc_acknowledged_events_s", "events/s acknowledged"),
    ("e2e_http_events_s", "events/s until queryable, HTTP batches"),
    ("e2e_http_acknowledged_events_s", "events/s acknowledged"),
    ("http_single_event_requests_s", "requests/s of one event, durable"),
    ("grpc_single_event_requests_s", "unary calls/s of one event, durable"),
    ("store_insert_rows_s", "rows/s, the store alone, with its views"),
    ("Latency at a steady rate", ""),
    ("ack_p50_ms", "ms to the ack"),
    ("ack_p99_ms", "ms to the ack"),
    ("queryable_p50_ms", "ms until a SELECT sees it"),
    ("queryable_p99_ms", "ms until a SELECT sees it"),
)


def print_report(numbers: dict[str, Any], console: Console) -> None:
    """Prints a table of the numbers, and below it what they go with."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, meaning in _ROWS:
        if name in numbers:
            table.add_row(f"  {name}", f"[bold]{numbers[name]:,}[/]", meaning)
        else:
            table.add_row(f"[bold cyan]{name}[/]")
    console.print(table)
    for name in ("engine_proto_shares", "engine_json_shares", "e2e_grpc_cpu_us_per_event", "latency_cores_by_role"):
        console.print(f"{name}: {_pairs(numbers[name])}", highlight=False)
    console.print(f"rss_mb: {_pairs(numbers['rss_mb'])}", highlight=False)
    machine = numbers["machine"]
    console.print(
        f"{machine['cores']} cores of {machine['cpu']}, kernel {machine['kernel']}, "
        f"load before {machine['load_before']}; commit {numbers['commit']}; {numbers['took_s']} s",
        highlight=False,
    )


def _pairs(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())
