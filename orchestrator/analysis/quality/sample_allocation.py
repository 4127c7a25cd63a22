"""Allocation of a cell's time between starting processes and taking samples in them.

For a given cost, a mean over processes is most precise with sqrt(c_process / c_sample * within^2 / between^2) samples
in each: Kalibera and Jones, Rigorous Benchmarking in Reasonable Time (ISMM 2013).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from orchestrator.analysis.statistics.intervals import Floats
from schemas.event import Report
from schemas.record import JobObservation, JobRecord

# With fewer processes nothing is assessed, and the best number of samples is kept within these limits.
FEWEST_PROCESSES: Final = 4
FEWEST_SAMPLES: Final = 5
MOST_SAMPLES: Final = 40
# The factor that makes a median absolute deviation estimate the standard deviation of normal data.
NORMAL_MAD: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The number of samples that a cell's processes took, and the costs and spreads that decide the best number.

    `within` is the standard deviation of log sample times in one process, `between` that of log floors across
    processes. Both come from the median absolute deviation. `process_ns` is the time of a job outside its samples.
    """

    samples: int
    within: float
    between: float
    process_ns: float
    sample_ns: float

    @property
    def best_samples(self) -> int:
        """Return the best number of samples in a process, from 5 to 40; the fewest where nothing varies."""
        gain = self.within * math.sqrt(self.process_ns / self.sample_ns)
        asked = gain / self.between if self.between else math.inf if gain else 0.0
        return round(min(max(asked, FEWEST_SAMPLES), MOST_SAMPLES))

    @property
    def has_too_few_samples(self) -> bool:
        """Return True if the processes took less than half of the best number."""
        return 2 * self.samples < self.best_samples

    @property
    def has_too_many_samples(self) -> bool:
        """Return True if the processes took more than four times the best number."""
        return self.samples > 4 * self.best_samples


def assess_allocation(records: Sequence[JobRecord]) -> Allocation | None:
    """Assess one cell's measured jobs; None with fewer than four jobs, or with a single sample in any process.

    Floors represent the processes because verdicts rest on them. All jobs count: with only four, the answer is off by a
    factor of two about half of the time.
    """
    jobs = [(record.report, record.outside) for record in records]
    kept = [(report, outside) for report, outside in jobs if report is not None and outside is not None]
    samples = [np.log(np.array(report.samples_ns) / report.calls) for report, _ in kept]
    if len(kept) < FEWEST_PROCESSES or min(map(len, samples)) < 2:
        return None
    return Allocation(
        samples=max(map(len, samples)),
        within=NORMAL_MAD * float(np.median(np.concatenate([_absolute_deviations(times) for times in samples]))),
        between=NORMAL_MAD * float(np.median(_absolute_deviations(np.array([times.min() for times in samples])))),
        process_ns=statistics.median(_time_outside_samples_ns(report, outside) for report, outside in kept),
        sample_ns=statistics.median(statistics.median(report.samples_ns) for report, _ in kept),
    )


def _time_outside_samples_ns(report: Report, outside: JobObservation) -> int:
    """Return the time of a job outside its samples."""
    # A faulty worker may report samples that add up to more than its lifetime.
    return max(0, outside.spawn_to_end_ns - sum(report.samples_ns))


def _absolute_deviations(values: Floats) -> Floats:
    """Return the distance of each value from their median."""
    return np.abs(values - np.median(values))
