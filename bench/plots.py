"""``python -m bench.plots``: draws the results in ``bench/results`` into ``bench/plots``."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_HERE = Path(__file__).parent
_RESULTS, _PLOTS = _HERE / "results", _HERE / "plots"


def main() -> None:
    """Draws every plot whose result is there."""
    mpl.rcParams["svg.hashsalt"] = "reviva"  # the same result makes the same file
    _PLOTS.mkdir(exist_ok=True)
    plots = {"quick": _stages, "load_curve": _latency, "known_ids": _known_ids, "shards": _shards}
    for name, draw in plots.items():
        result = _RESULTS / f"{name}.json"
        if result.exists():
            figure = Figure(figsize=(7, 3.6), layout="constrained")
            draw(figure.subplots(), json.loads(result.read_text()))
            figure.savefig(_PLOTS / f"{name}.svg", metadata={"Date": None})


def _stages(axes: Axes, numbers: dict[str, Any]) -> None:
    """Nanoseconds of CPU time per event, by stage."""
    left = [0.0, 0.0]
    wires = ("json", "proto")
    each = [1e9 / numbers[f"engine_{wire}_events_per_core_s"] for wire in wires]
    for stage in numbers["engine_proto_shares"]:
        widths = [ns * numbers[f"engine_{wire}_shares"][stage] for wire, ns in zip(wires, each, strict=True)]
        axes.barh(wires, widths, left=left, label=stage)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    rest = [ns - start for ns, start in zip(each, left, strict=True)]
    axes.barh(wires, rest, left=left, label="journal's thread, loop", color="lightgrey")
    axes.set(title="The engine, stage by stage", xlabel="ns of CPU time per event")
    axes.legend(fontsize="small")


def _latency(axes: Axes, numbers: dict[str, Any]) -> None:
    """Milliseconds over the rate of events."""
    points = numbers["points"]
    rates = [point["events_s"] for point in points]
    for what, style in (("ack_ms", "--"), ("queryable_ms", "-")):
        for rank in ("50", "99"):
            line = [point[what][rank] for point in points]
            axes.plot(rates, line, style, marker="o", label=f"{what.removesuffix('_ms')} p{rank}")
    axes.set(title="Latency under load", xlabel="events per second", ylabel="ms", xscale="log", yscale="log")
    axes.legend(fontsize="small")


def _known_ids(axes: Axes, points: Any) -> None:
    """What one more event costs dedupe, over how many ids are known already."""
    known = [point["ids"] for point in points]
    for name, label in (
        ("new_ns", "ns for a new id"),
        ("known_ns", "ns for a known id"),
        ("bytes_per_id", "bytes of memory per id"),
    ):
        axes.plot(known, [point[name] for point in points], marker="o", label=label)
    axes.set(title="Dedupe", xlabel="known ids", xscale="log", ylim=(0, None))
    axes.legend(fontsize="small")


def _shards(axes: Axes, points: Any) -> None:
    """Events per second that the processor takes, over the number of its shards."""
    shards = [point["shards"] for point in points]
    for name, label, style in (
        ("events_s", "by the clock, on two cores", "-"),
        ("simulated_events_s", "computed for as many cores", "--"),
    ):
        axes.plot(shards, [point[name] for point in points], style, marker="o", label=label)
    axes.set(title="The processor", xlabel="shards", ylabel="events per second", xticks=shards, ylim=(0, None))
    axes.legend(fontsize="small")


if __name__ == "__main__":
    main()
