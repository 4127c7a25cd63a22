"""The times and samples of a run's records: jobs follow each other, and no process is there twice. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from orchestrator.records.attempts import sort_records
from orchestrator.records.store import job_name
from orchestrator.records.timestamps import parse_timestamp
from schemas.record import JobRecord, Manifest

# A manifest's start has whole seconds, and clocks are corrected while a run goes on.
TOLERANCE: Final = timedelta(seconds=2)
# The clock of the publisher may be ahead of the reader's.
FUTURE_TOLERANCE: Final = timedelta(hours=1)
# Two clocks may differ by this share.
CLOCK_SHARE: Final = 0.01
# Fewer samples may be equal by chance, on a clock with coarse steps.
FEWEST_SAMPLES: Final = 3


def find_impossible_times(manifest: Manifest, records: Sequence[JobRecord], now: datetime) -> Iterator[str]:
    """Yield a sentence for each time that cannot be: before the run, after now, or before the job that came first."""
    began = parse_timestamp(manifest.started)
    if began is None:
        yield f"the manifest begins at {manifest.started[:40]!r}, which is not a time"
        return
    # Differences of times cannot overflow, as a time and a tolerance can.
    if began - now > FUTURE_TOLERANCE:
        yield f"the run begins at {manifest.started}, in the future"
    spans = list[tuple[JobRecord, datetime, datetime]]()
    for record in sort_records(records):
        if record.outside is None:
            continue
        start = parse_timestamp(record.outside.started)
        if start is None:
            yield f"{job_name(record.spec)} begins at {record.outside.started[:40]!r}, which is not a time"
            continue
        if began - start > TOLERANCE:
            yield f"{job_name(record.spec)} begins before the run"
        if start - now > FUTURE_TOLERANCE:
            yield f"{job_name(record.spec)} begins in the future"
        spans.append((record, start, compute_end(record, start)))
    for (before, _, end), (after, start, _) in pairwise(spans):
        if end - start > TOLERANCE:
            yield f"{job_name(after.spec)} begins before {job_name(before.spec)} ends"


def find_long_samples(records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each process whose samples together took longer than it lived."""
    for record in records:
        lived_ns = record.outside.spawn_to_end_ns if record.outside else 0
        if record.report is not None and sum(record.report.samples_ns) > lived_ns * (1 + CLOCK_SHARE):
            yield f"the samples of {job_name(record.spec)} take longer than its process lived"


def compute_end(record: JobRecord, start: datetime) -> datetime:
    """Return the time at which a job ended."""
    assert record.outside is not None
    try:
        return start + timedelta(microseconds=record.outside.spawn_to_end_ns / 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=start.tzinfo)


def find_copied_samples(records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each process with the samples of another one."""
    seen = dict[tuple[int, ...], JobRecord]()
    for record in sort_records(records):
        if record.report is None or len(record.report.samples_ns) < FEWEST_SAMPLES:
            continue
        first = seen.setdefault(record.report.samples_ns, record)
        if first is not record:
            yield f"{job_name(record.spec)} has the samples of {job_name(first.spec)}"
