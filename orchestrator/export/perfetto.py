"""A run's schedule as Chrome trace events for ui.perfetto.dev: a track for each framework, jobs as slices.

A record states the duration of each phase, but not its start. A job's phases therefore follow each other without gaps,
in order. Every job that started has a slice, whatever its outcome. Only a job that counts has a time per call.
https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from orchestrator.analysis.job_rows import build_job_row
from orchestrator.analysis.run import Run
from orchestrator.records.store import job_name
from orchestrator.records.timestamps import parse_timestamp
from schemas.record import JobRecord

TraceEvent: TypeAlias = dict[str, Any]

# The trace has one process, which stands for the run.
RUN_PROCESS: Final = 1


def export_document(run: Run) -> bytes:
    """Return the trace of all jobs that started, with times from the first start on."""
    begun = [(parse_timestamp(each.outside.started), each) for each in run.records if each.outside is not None]
    jobs = sorted(((at.timestamp(), each) for at, each in begun if at is not None), key=lambda job: job[0])
    tracks = {name: track for track, name in enumerate(dict.fromkeys(each.spec.cell.framework for _, each in jobs), 1)}
    zero = jobs[0][0] if jobs else 0.0
    events = [
        make_name_event("process_name", 0, f"{run.mark}{run.name}"),
        *(make_name_event("thread_name", track, framework) for framework, track in tracks.items()),
        *(
            event
            for at, record in jobs
            for event in make_job_slices(
                record, round(1e9 * (at - zero)), tracks[record.spec.cell.framework], run.measured_ids
            )
        ),
    ]
    document = {
        "displayTimeUnit": "ms",
        "otherData": {
            "run": run.name,
            "started": run.manifest.started,
            "machine_type": run.machine_type.label,
            "fingerprint": run.manifest.host.content_hash,
            "mixed": list(run.mixed),
        },
        "traceEvents": events,
    }
    return json.dumps(document, allow_nan=False).encode() + b"\n"


def make_name_event(what: str, track: int, name: str) -> TraceEvent:
    """Return the event that names the run or a track."""
    return {"ph": "M", "pid": RUN_PROCESS, "tid": track, "name": what, "args": {"name": name}}


def make_job_slices(record: JobRecord, start_ns: int, track: int, sound: frozenset[str]) -> Iterator[TraceEvent]:
    """Yield a job's slice, then those of its phases."""
    assert record.outside is not None
    cell, end_ns = record.spec.cell, start_ns + record.outside.spawn_to_end_ns
    job = make_slice(f"{cell.label} {cell.workload}", start_ns, end_ns, track)
    yield job | {"cat": "job", "args": make_arguments(record, sound)}
    at_ns = start_ns
    for cost in record.report.phases if record.report else ():
        # Clipped, so that no phase outlasts its job.
        begun_ns, at_ns = at_ns, min(at_ns + cost.wall_ns, end_ns)
        phase = make_slice(cost.name.replace("_", " "), begun_ns, at_ns, track)
        parts = {"cpu": cost.cpu_ns, "waiting": cost.waiting_ns, "io": cost.io_ns, "stopped": cost.stopped_ns}
        yield phase | {
            "cat": "phase",
            "args": {f"{part}_ms": took / 1e6 for part, took in parts.items() if took is not None},
        }


def make_slice(name: str, start_ns: int, end_ns: int, track: int) -> TraceEvent:
    """Return a slice of a track. The format counts in microseconds."""
    return {
        "ph": "X",
        "pid": RUN_PROCESS,
        "tid": track,
        "name": name,
        "ts": start_ns / 1e3,
        "dur": (end_ns - start_ns) / 1e3,
    }


def make_arguments(record: JobRecord, sound: frozenset[str]) -> dict[str, Any]:
    """Return the details that Perfetto shows for a selected job."""
    row = build_job_row(record, float("inf"), sound=record.spec.cell.id in sound)
    chosen = ("block", "position", "attempt", "outcome", "reason", "counts", "floor_ns", "calls", "samples")
    return {"job": job_name(record.spec)} | {name: row[name] for name in chosen if row.get(name) is not None}
