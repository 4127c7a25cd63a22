"""The times and samples of a run's records: jobs follow each other, and no process is there twice. Pure."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

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
# Among 155 honest processes of 100 samples, no two had more than one sample in a hundred in common. The median distance
# of their samples was at least 0.59 times the spread of either.
EQUAL_SHARE: Final = 0.5
CLOSE_SHARE: Final = 0.1
FEWEST_FOR_CLOSENESS: Final = 20
# Comparing more takes longer, and finds nothing more.
MOST_COMPARED: Final = 100

# Counted are numbers of four bytes. Longer samples, and differences between them, count as so many nanoseconds.
MOST_COUNTED: Final = 2**31 - 1

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


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
    if manifest.extensions and all(record.placement is None for record, _, _ in spans):
        # A budget that cuts a block leaves out what does not fit, and the continued run makes up for it at the end.
        spans.sort(key=lambda span: (span[0].spec.block, span[1]))
    for (before, _, end), (after, start, _) in pairwise(spans):
        yield from find_wrong_order(before, after, end - start)


def find_wrong_order(before: JobRecord, after: JobRecord, overlap: timedelta) -> Iterator[str]:
    """Yield a sentence if a job began before the one before it had ended, or if one block is of two shares.

    Two shares are measured side by side, on two nodes.
    """
    if before.placement == after.placement and overlap > TOLERANCE:
        yield f"{job_name(after.spec)} begins before {job_name(before.spec)} ends"
    if before.placement != after.placement and before.spec.block == after.spec.block:
        yield f"{job_name(after.spec)} and {job_name(before.spec)} are of one block, but not of one share"


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
    """Yield a sentence for each process with the samples of another one, or with almost the same."""
    lengths: defaultdict[int, list[JobRecord]] = defaultdict(list)
    for record in sort_records(records):
        if record.report is not None and len(record.report.samples_ns) >= FEWEST_SAMPLES:
            lengths[len(record.report.samples_ns)].append(record)
    for found in lengths.values():
        samples = np.array([each.report.samples_ns[:MOST_COMPARED] for each in found if each.report], dtype=np.int64)
        for first, copy in find_copied_rows(samples):
            yield f"{job_name(found[copy].spec)} has the samples of {job_name(found[first].spec)}, or almost the same"


def find_copied_rows(samples: IntArray) -> Iterator[tuple[int, int]]:
    """Yield the places of each row and of each later one that is a copy of it.

    At least half of a copy's samples are as near as copies lie. To count those takes a twelfth of the time of a full
    comparison, which is left to the few pairs that have so many.
    """
    spreads = np.median(np.abs(samples - np.median(samples, axis=1, keepdims=True)), axis=1)
    near = np.clip(np.ceil(CLOSE_SHARE * spreads), 1, MOST_COUNTED).astype(np.int32)
    columns = np.ascontiguousarray(np.minimum(samples, MOST_COUNTED).astype(np.int32).T)
    for place, row in enumerate(samples[:-1]):
        apart = np.abs(columns[:, place + 1 :] - columns[:, place, np.newaxis])
        alike = place + 1 + np.flatnonzero(2 * np.count_nonzero(apart < near[place], axis=0) >= len(row))
        for other in alike[find_copies(row, samples[alike])]:
            yield place, int(other)


def hash_processes(records: Sequence[JobRecord]) -> dict[bytes, str]:
    """Return the name of each process by the hash of its samples, without those whose samples may be equal by chance.

    Two runs have no process in common.
    """
    return {
        hashlib.sha256(repr(record.report.samples_ns).encode()).digest(): job_name(record.spec)
        for record in records
        if record.report is not None and len({*record.report.samples_ns}) >= FEWEST_SAMPLES
    }


def find_copies(samples: IntArray, others: IntArray) -> BoolArray:
    """Return which rows are copies of some samples: most are equal, or they follow each other much too closely.

    On a clock with coarse steps many samples are equal by chance. There only a copy of all counts,
    if it has more than two values.
    """
    apart = np.abs(others - samples)
    values = len(np.unique(samples))
    copies: BoolArray = (apart == 0).all(axis=1) & (values >= FEWEST_SAMPLES)
    if values > len(samples) / 2:
        copies |= (apart == 0).mean(axis=1) > EQUAL_SHARE
    spread = np.median(np.abs(samples - np.median(samples)))
    if len(samples) >= FEWEST_FOR_CLOSENESS and spread > 0:
        copies |= np.median(apart, axis=1) < CLOSE_SHARE * spread
    return copies
