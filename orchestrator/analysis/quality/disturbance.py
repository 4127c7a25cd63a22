"""Disturbance flags of each process, and the grade that follows for its cell. Pure.

A sample is disturbed when threads of the worker waited for a core that another process used, or when the hypervisor
took time. Threads of one worker also wait for each other if they outnumber its cores, but then the worker keeps its
cores busy. Waiting therefore counts only up to the time that the worker left its cores unused.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

import numpy as np

from schemas.event import Report
from schemas.record import JobRecord

# Share of a sample that may be lost before it counts as disturbed.
LOST_SHARE_LIMIT = 0.005

# With fewer undisturbed samples than this, the typical time comes from all samples.
FEWEST_UNDISTURBED = 8

# The slowest acceptable canary relative to the sweep's fastest, and the strongest acceptable rank correlation.
CANARY_LIMIT = 1.05
DRIFT_LIMIT = 0.5

Grade = Literal["A", "B", "C"]


class Flag(StrEnum):
    """A disturbance of one process, or (DRIFT) of a cell over the sweep."""

    DELAY = "DELAY"
    STEAL = "STEAL"
    THROTTLED = "THROTTLED"
    CANARY = "CANARY"
    DRIFT = "DRIFT"


FLAG_MEANINGS = {
    Flag.DELAY: "other processes ran on its cores",
    Flag.STEAL: "the hypervisor took time",
    Flag.THROTTLED: "a CPU quota stopped it",
    Flag.CANARY: "the canary, a fixed small product, ran slowly",
    Flag.DRIFT: "its times followed the order of the sweep",
}


def compute_lost_shares(report: Report, cores: int) -> list[float]:
    """Return for each sample the share of its time that its threads waited for cores in use by other processes."""
    return [
        min(delay, max(0, cores * took - used)) / took
        for delay, took, used in zip(report.noise.run_delay_ns, report.samples_ns, report.noise.cpu_ns, strict=True)
    ]


def find_undisturbed_samples(report: Report, cores: int) -> list[int]:
    """Return the indices of the undisturbed samples, or of all samples if too few are undisturbed."""
    quiet = [
        index
        for index, (lost, steal) in enumerate(
            zip(compute_lost_shares(report, cores), report.noise.steal_ns, strict=True)
        )
        if lost <= LOST_SHARE_LIMIT and steal == 0
    ]
    return quiet if len(quiet) >= FEWEST_UNDISTURBED else list(range(len(report.samples_ns)))


def find_flags(record: JobRecord, canary_floor_ns: float) -> frozenset[Flag]:
    """Return the flags of one process. `canary_floor_ns` is the fastest canary of the sweep."""
    report = record.report
    if report is None:
        return frozenset()
    cores = len(record.spec.cpus) or record.host.cores
    lost, noise, wall = compute_lost_shares(report, cores), report.noise, sum(report.samples_ns)
    found = {
        Flag.DELAY: sum(share > LOST_SHARE_LIMIT for share in lost) > 0.2 * len(lost),
        Flag.STEAL: sum(noise.steal_ns) > LOST_SHARE_LIMIT * wall * record.host.cores,
        Flag.THROTTLED: bool(noise.throttled),
        Flag.CANARY: min(noise.canary_ns, default=0) > CANARY_LIMIT * canary_floor_ns,
    }
    return frozenset(flag for flag, raised in found.items() if raised)


def find_canary_floor_ns(records: Sequence[JobRecord]) -> float:
    """Return the fastest canary of a sweep; 0 if no process ran the canary."""
    return min((min(r.report.noise.canary_ns, default=0) for r in records if r.report is not None), default=0)


def is_drifting(floors: Sequence[float]) -> bool:
    """Return True if a cell's times follow the order in which they were taken (Spearman's rank correlation)."""
    # With few processes, a correlation with their order arises by chance.
    if len(set(floors)) < FEWEST_UNDISTURBED:
        return False
    ranks = np.argsort(np.argsort(floors))
    return bool(abs(np.corrcoef(np.arange(len(floors)), ranks)[0, 1]) > DRIFT_LIMIT)


def grade_cell(per_process: Sequence[frozenset[Flag]], *, drift: bool) -> Grade:
    """Return the grade of a cell from the flags of its processes.

    A: at most one process in five was flagged. C: more than half were, or a quota stopped one. B: anything between.
    """
    # The canary and drift describe the machine as a whole, so they can lower A to B and no further.
    hard = [flagged - {Flag.CANARY} for flagged in per_process]
    share = sum(map(bool, hard)) / max(1, len(hard))
    if share > 0.5 or any(Flag.THROTTLED in flagged for flagged in hard):
        return "C"
    soft = sum(Flag.CANARY in flagged for flagged in per_process) > 0.5 * len(per_process)
    return "B" if share > 0.2 or soft or drift else "A"
