"""Whether the time of a cell's jobs is well divided between starting processes and taking samples in them.

Kalibera and Jones, Rigorous Benchmarking in Reasonable Time (ISMM 2013): for its cost, a mean over processes is most
precise with sqrt(c_process / c_sample * within^2 / between^2) samples in each.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from orchestrator.analysis.statistics import Floats
from schemas.event import Report
from schemas.record import JobRecord, Outside

FEWEST_PROCESSES: Final = 4
FEWEST_SAMPLES: Final = 5
MOST_SAMPLES: Final = 40
NORMAL_MAD: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """How many samples a cell's processes took, and how many they would best take, with what that follows from.

    `within` is the standard deviation of log sample times in one process, `between` that of log floors from process
    to process, both by the median absolute deviation. `process_ns` is what a job takes outside its samples.
    """

    samples: int
    within: float
    between: float
    process_ns: float
    sample_ns: float

    @property
    def best(self) -> int:
        """The best number of samples in a process, from 5 to 40. Where nothing differs, one is as good as many."""
        gain = self.within * math.sqrt(self.process_ns / self.sample_ns)
        asked = gain / self.between if self.between else math.inf if gain else 0.0
        return round(min(max(asked, FEWEST_SAMPLES), MOST_SAMPLES))

    @property
    def too_few(self) -> bool:
        """Whether less than half of the best number were taken."""
        return 2 * self.samples < self.best

    @property
    def too_many(self) -> bool:
        """Whether more than four times the best number were taken."""
        return self.samples > 4 * self.best


def allocation(records: Sequence[JobRecord]) -> Allocation | None:
    """Of one cell's measured jobs. None before the fourth, and where one sample a process says nothing of its spread.

    Floors stand for the processes because they decide: what differs between them, more samples do not take away. All
    jobs count, and not the first four alone, from which the answer is off by a factor of two as often as not.
    """
    jobs = [(record.report, record.outside) for record in records]
    kept = [(report, outside) for report, outside in jobs if report is not None and outside is not None]
    samples = [np.log(np.array(report.samples_ns) / report.calls) for report, _ in kept]
    if len(kept) < FEWEST_PROCESSES or min(map(len, samples)) < 2:
        return None
    return Allocation(
        samples=max(map(len, samples)),
        within=NORMAL_MAD * float(np.median(np.concatenate([_deviations(times) for times in samples]))),
        between=NORMAL_MAD * float(np.median(_deviations(np.array([times.min() for times in samples])))),
        process_ns=statistics.median(_elsewhere_ns(report, outside) for report, outside in kept),
        sample_ns=statistics.median(statistics.median(report.samples_ns) for report, _ in kept),
    )


def _elsewhere_ns(report: Report, outside: Outside) -> int:
    """What a job took outside its samples; a worker may claim longer ones than it lived."""
    return max(0, outside.spawn_to_end_ns - sum(report.samples_ns))


def _deviations(values: Floats) -> Floats:
    """How far each value lies from their median."""
    return np.abs(values - np.median(values))
