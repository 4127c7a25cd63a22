"""A run's schedule as Chrome's trace events, which ui.perfetto.dev opens: a track for each framework, jobs as slices.

Within a job its phases stand end to end in the order in which they began: the record knows how long each took, not
when. The times are those of the schedule, of any job whatever became of it; a time per call has only a job that counts.
https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from orchestrator.api import Run
from orchestrator.moments import moment
from orchestrator.report.rows import measured
from orchestrator.report.rows_of_jobs import of_job
from orchestrator.store import job_name
from schemas.record import JobRecord

Event: TypeAlias = dict[str, Any]

RUN: Final = 1
"""The one process of the trace: the run."""


def export(run: Run) -> bytes:
    """All jobs that were started, from the first on."""
    begun = [(moment(each.outside.started), each) for each in run.records if each.outside is not None]
    jobs = sorted(((at.timestamp(), each) for at, each in begun if at is not None), key=lambda job: job[0])
    tracks = {name: track for track, name in enumerate(dict.fromkeys(each.spec.cell.framework for _, each in jobs), 1)}
    sound, zero = measured(run.groups), jobs[0][0] if jobs else 0.0
    events = [
        named("process_name", 0, run.name),
        *(named("thread_name", track, framework) for framework, track in tracks.items()),
        *(
            event
            for at, record in jobs
            for event in slices(record, round(1e9 * (at - zero)), tracks[record.spec.cell.framework], sound)
        ),
    ]
    document = {
        "displayTimeUnit": "ms",
        "otherData": {"run": run.name, "started": run.manifest.started, "fingerprint": run.manifest.host.content_hash},
        "traceEvents": events,
    }
    return json.dumps(document, allow_nan=False).encode() + b"\n"


def named(what: str, track: int, name: str) -> Event:
    """The name of the run or of a track."""
    return {"ph": "M", "pid": RUN, "tid": track, "name": what, "args": {"name": name}}


def slices(record: JobRecord, start_ns: int, track: int, sound: frozenset[str]) -> Iterator[Event]:
    """A job, and its phases within it."""
    assert record.outside is not None
    cell, end_ns = record.spec.cell, start_ns + record.outside.spawn_to_end_ns
    job = a_slice(f"{cell.label} {cell.workload}", start_ns, end_ns, track)
    yield job | {"cat": "job", "args": arguments(record, sound)}
    at_ns = start_ns
    for cost in record.report.phases if record.report else ():
        begun_ns, at_ns = at_ns, min(at_ns + cost.wall_ns, end_ns)
        phase = a_slice(cost.name.replace("_", " "), begun_ns, at_ns, track)
        yield phase | {"cat": "phase", "args": {"cpu_ms": cost.cpu_ns / 1e6}}


def a_slice(name: str, start_ns: int, end_ns: int, track: int) -> Event:
    """A stretch of time on a track; the format counts in microseconds."""
    return {"ph": "X", "pid": RUN, "tid": track, "name": name, "ts": start_ns / 1e3, "dur": (end_ns - start_ns) / 1e3}


def arguments(record: JobRecord, sound: frozenset[str]) -> dict[str, Any]:
    """What is shown of a job that is selected."""
    (row,) = of_job(record, float("inf"), sound=record.spec.cell.id in sound)
    chosen = ("block", "position", "attempt", "outcome", "reason", "counts", "floor_ns", "calls", "samples")
    return {"job": job_name(record.spec)} | {name: row[name] for name in chosen if row.get(name) is not None}
