"""OpenMetrics text for Prometheus: gauges in seconds and bytes, with labels that identify the cell.

`plumbline_cell_info` lists every cell with its outcome and reason. The gauges list measured cells only.
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from orchestrator.analysis.costs.memory import METRIC_MEANINGS
from orchestrator.analysis.results import Result
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import to_printable

Labels: TypeAlias = Mapping[str, str]
Cells: TypeAlias = Sequence[tuple[Labels, Result]]

TIMES: Final[Mapping[str, tuple[str, Callable[[Result], Interval]]]] = {
    "call_floor": ("Time of a call: fastest sample of a process, median over processes.", lambda each: each.floor_ns),
    "call_typical": ("Time of a call: median undisturbed sample, median over processes.", lambda each: each.typical_ns),
    "first_result": ("Time from the finished model to its first result.", lambda each: each.first_ns),
}
# A gauge holds one number, so an estimate and the ends of its interval are three metric families.
INTERVAL_FIELDS: Final = {"": "estimate", "_low": "low", "_high": "high"}


def export_document(run: Run) -> bytes:
    """Return all metric families of a run, and the end marker that the format requires."""
    cells = [(make_labels(result), result) for result in run.cells]
    host = run.manifest.host
    endings = [("_info", named | make_outcome_labels(each), 1) for named, each in cells]
    about = {
        "run": run.name,
        "started": run.manifest.started,
        "machine_type": run.machine_type.content_hash,
        "fingerprint": host.content_hash,
        "cpu": host.cpu,
    }
    # A label that a run lacks leaves its series the same.
    about |= {"mixed": "; ".join(run.mixed)} if run.mixed else {}
    lines = [
        *make_metric_family("plumbline_run", "info", "The run.", [("_info", about, 1)]),
        *make_metric_family("plumbline_cell", "info", "Outcome of a cell.", endings),
        *make_gauges([(named, result) for named, result in cells if result.outcome == "measured"]),
        "# EOF",
    ]
    return "\n".join(lines).encode() + b"\n"


def make_gauges(cells: Cells) -> Iterator[str]:
    """Yield the gauges of measured cells, in seconds and bytes."""
    processes = [("", named, result.jobs) for named, result in cells]
    yield from make_metric_family("plumbline_processes", "gauge", "Processes measured for a cell.", processes)
    for name, (says, of) in TIMES.items():
        yield from make_interval_families(
            f"plumbline_{name}", "seconds", says, [(named, of(each)) for named, each in cells], 1e-9
        )
    for metric, meaning in METRIC_MEANINGS.items():
        known = [(named, each.memory[metric]) for named, each in cells if metric in each.memory]
        yield from make_interval_families(f"plumbline_memory_{metric}", "bytes", f"Memory: {meaning}.", known, 1)


def make_interval_families(
    name: str, unit: str, says: str, found: Sequence[tuple[Labels, Interval]], scale: float
) -> Iterator[str]:
    """Yield three families: the estimates and the finite ends of their intervals."""
    for end, field in INTERVAL_FIELDS.items():
        numbers = [("", named, scale * getattr(interval, field)) for named, interval in found]
        sense = f"{says[:-1]}, {field} end of its interval." if end else says
        yield from make_metric_family(f"{name}{end}_{unit}", "gauge", sense, numbers, unit)


def make_metric_family(
    name: str, kind: str, says: str, samples: Sequence[tuple[str, Labels, float]], unit: str = ""
) -> Iterator[str]:
    """Yield one metric family: its metadata and its finite samples. Yield nothing if no sample is finite."""
    known = [(suffix, named, value) for suffix, named, value in samples if math.isfinite(value)]
    if not known:
        return
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {escape_text(says)}"
    for suffix, named, value in known:
        inside = ",".join(f'{key}="{escape_text(text)}"' for key, text in named.items())
        yield f"{name}{suffix}{{{inside}}} {value!r}"


def make_labels(result: Result) -> dict[str, str]:
    """Return the labels that identify a cell."""
    fields = result.cell.model_dump(mode="json", exclude={"parameters"})
    sizes = " ".join(f"{name}={value}" for name, value in result.cell.parameters.items())
    return {name: str(value) for name, value in fields.items()} | {"parameters": sizes}


def make_outcome_labels(result: Result) -> dict[str, str]:
    """Return the labels of a cell's outcome."""
    return {"outcome": result.outcome or "not run", "reason": result.reason, "grade": result.grade}


def escape_text(text: str) -> str:
    """Escape text for the format, on one line."""
    # Backslashes come first, because the other replacements add some.
    return to_printable(text).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
