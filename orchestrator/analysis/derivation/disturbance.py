"""Disturbances of each process: its flags, the grade of its cell, and the time that they can have cost. Pure.

A sample is disturbed when threads of the worker waited for a core that another process used, or when the hypervisor
took time. Threads of one worker also wait for each other if they outnumber its cores, but then the worker keeps its
cores busy. Waiting therefore counts only up to the time that the worker left its cores unused.

The counters are read once a burst of samples. All waiting of a burst may have fallen on any one of its samples.
"""

from enum import StrEnum

from schemas.event import Report
from schemas.record import JobRecord

# Share of a sample that may be lost before it counts as disturbed.
LOST_SHARE_LIMIT = 0.005

# Cold caches make up to this share of the CPU time of a process whose every sample was interrupted. Measured: 11 % of
# chains of 512 x 512 products of 13 ms, and 3 % of those of 66 ms, beside a process that took half of the core.
COLD_CACHE_SHARE = 0.12

# The scheduler lets other processes wait for about this long. A longer sample is interrupted wherever one waits.
TIME_SLICE_NS = 3_000_000

# With fewer undisturbed samples than this, the typical time comes from all samples.
FEWEST_UNDISTURBED = 8


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


def count_cores(record: JobRecord) -> int:
    """Return the number of cores that a job had."""
    return len(record.spec.cpus) or record.host.cores


def compute_lost_ns(report: Report, cores: int) -> list[int]:
    """Return for each sample the longest time that its threads can have waited for cores in use by other processes."""
    noise = report.noise
    delays = noise.spread_readings(noise.run_delay_ns, len(report.samples_ns))
    return [
        # Most samples lost nothing, and a run has millions of them.
        min(delay, max(0, cores * took - used)) if delay else 0
        for delay, took, used in zip(delays, report.samples_ns, noise.cpu_ns, strict=True)
    ]


def compute_lost_shares(report: Report, cores: int) -> list[float]:
    """Return for each sample the share of its time that its threads waited for cores in use by other processes."""
    return [lost / took for lost, took in zip(compute_lost_ns(report, cores), report.samples_ns, strict=True)]


def find_disturbed_samples(report: Report, cores: int) -> list[bool]:
    """Return for each sample True if it is disturbed."""
    shares = compute_lost_shares(report, cores)
    # Steal is counted in coarse clock ticks: any of it marks all samples of a burst.
    steals = report.noise.spread_readings(report.noise.steal_ns, len(shares))
    return [share > LOST_SHARE_LIMIT or steal > 0 for share, steal in zip(shares, steals, strict=True)]


def find_undisturbed_samples(report: Report, cores: int) -> list[int]:
    """Return the indices of the undisturbed samples, or of all samples if too few are undisturbed."""
    disturbed = find_disturbed_samples(report, cores)
    quiet = [index for index, hit in enumerate(disturbed) if not hit]
    return quiet if len(quiet) >= FEWEST_UNDISTURBED else list(range(len(disturbed)))


def bound_floor_ns(record: JobRecord) -> float:
    """Return the least time of a process's fastest sample that its disturbances leave possible, for all its calls.

    The fastest undisturbed sample less what it lost. Without one, the least of all samples after subtraction of what
    each can have lost to other processes, to the hypervisor and to cold caches.
    """
    report = record.report
    assert report is not None
    noise, lost = report.noise, compute_lost_ns(report, count_cores(record))
    disturbed = find_disturbed_samples(report, count_cores(record))
    if not all(disturbed):
        clean = (index for index, hit in enumerate(disturbed) if not hit)
        fastest = min(clean, key=report.samples_ns.__getitem__)
        left = float(report.samples_ns[fastest] - lost[fastest])
    elif is_bounded_by_cpu_time(record):
        left = (1 - COLD_CACHE_SHARE) * min(noise.cpu_ns)
    else:
        steals = noise.spread_readings(noise.steal_ns, len(lost))
        left = (1 - COLD_CACHE_SHARE) * min(
            took - waited - steal for took, waited, steal in zip(report.samples_ns, lost, steals, strict=True)
        )
    # At least a nanosecond, since times are compared by their logarithms.
    return max(1, min(left, *report.samples_ns))


def is_bounded_by_cpu_time(record: JobRecord) -> bool:
    """Return True if a process's CPU time bounds its floor: single calls longer than a time slice, all disturbed.

    The scheduler books waiting when the thread gets its core back, so a sample is charged with waiting from before it.
    On one thread, CPU time has no such error.
    """
    report = record.report
    if report is None or report.calls > 1 or record.spec.cell.threads > 1 or record.spec.cell.device != "cpu":
        return False
    return min(report.samples_ns) > TIME_SLICE_NS and all(find_disturbed_samples(report, count_cores(record)))


def find_own_flags(record: JobRecord, report: Report) -> frozenset[Flag]:
    """Return the flags of a process that it alone shows, without a look at the others of its sweep."""
    lost, noise, wall = compute_lost_shares(report, count_cores(record)), report.noise, sum(report.samples_ns)
    found = {
        Flag.DELAY: sum(share > LOST_SHARE_LIMIT for share in lost) > 0.2 * len(lost),
        Flag.STEAL: sum(noise.steal_ns) > LOST_SHARE_LIMIT * wall * record.host.cores,
        Flag.THROTTLED: bool(noise.throttled),
    }
    return frozenset(flag for flag, raised in found.items() if raised)
