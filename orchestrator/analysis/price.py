"""The price of a verdict that a run could not reach: how many more blocks it takes, and how long they last."""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.costs.cost_curve import CostCurve
from orchestrator.analysis.derivation.process import Job, derive_processes
from orchestrator.analysis.forecast import NOT_FORESEEN, Family, forecast_verdict
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics.looks import LOOKS, LookRule, blocks_needed

# A difference of this many standard deviations of its blocks keeps its sign in the next ones.
CLEAR_DEVIATIONS: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of the verdict on one pair without one, in blocks beyond those that it has.

    `proves`: the difference is clear, and only the number of blocks is too small for its family, so `likely` is exact.
    `is_forecast`: an end is None if no run may have as many blocks. Without either, `likely` is only the least number.
    `disturbed`: it lacks no blocks, but a disturbance may explain the difference.
    """

    found: Comparison
    soonest: int | None
    likely: int | None
    latest: int | None
    proves: bool = False
    disturbed: bool = False
    is_forecast: bool = False

    @property
    def bound(self) -> float:
        """The relative difference that its interval does not exclude; infinity without an interval."""
        low, high = self.found.ratio.low, self.found.ratio.high
        return max(high, 1 / low) - 1 if low > 0 else math.inf


def list_prices(group: Group, looks: LookRule, margin: float, most_blocks: int = LOOKS[-1]) -> Iterator[Price]:
    """Yield the price of each pair of a group that has no verdict. `most_blocks` is the most that its run may have."""
    for found in group.comparisons:
        if found.verdict is Verdict.UNRESOLVED:
            yield find_price(found, group, looks, margin, most_blocks)


def find_price(found: Comparison, group: Group, looks: LookRule, margin: float, most_blocks: int) -> Price:
    """Return the price of the verdict on one pair."""
    pairs, ratios = len(group.comparisons), list_curve_ratios(group.curves[found.baseline], group.curves[found.cell])
    lacking = blocks_needed(pairs, group.alpha) - found.blocks
    if lacking > 0 and is_clear(ratios) and is_clear(list_bounded_ratios(ratios, group, found)):
        return Price(found=found, soonest=lacking, likely=lacking, latest=lacking, proves=True)
    if found.significant and not found.ratio.low <= 1 <= found.ratio.high:
        return Price(found=found, soonest=None, likely=None, latest=None, disturbed=True)
    # Its verdicts have been seen: a further look at them has the level that pays for it.
    after = LookRule(looks.on_verdicts, (*looks.ended_after, found.blocks))
    family = Family(pairs=pairs, alpha=after.choose_alpha(pairs), margin=math.log1p(margin))
    foreseen = forecast_verdict(ratios, family, range(found.blocks + 1, most_blocks + 1))
    if foreseen is None:
        least = max(lacking, 1)
        return Price(found=found, soonest=least, likely=least, latest=None)  # too few blocks for a forecast
    ends = (foreseen.soonest, foreseen.likely, foreseen.latest)
    soonest, likely, latest = (None if end == NOT_FORESEEN else end - found.blocks for end in ends)
    return Price(found=found, soonest=soonest, likely=likely, latest=latest, is_forecast=True)


def list_curve_ratios(baseline: Mapping[int, CostCurve], cell: Mapping[int, CostCurve]) -> list[float]:
    """Return the log ratios of two cells' floors, block by block."""
    shared = sorted(baseline.keys() & cell.keys())
    return [math.log(cell[block].floor_ns / baseline[block].floor_ns) for block in shared]


def list_bounded_ratios(ratios: Sequence[float], group: Group, found: Comparison) -> list[float]:
    """Return the log ratios less what disturbances can have added: the slower cell without what it can have lost."""
    baseline, cell = group.curves[found.baseline], group.curves[found.cell]
    if sum(ratios) > 0:
        return list_curve_ratios(baseline, {block: curve.least for block, curve in cell.items()})
    return list_curve_ratios({block: curve.least for block, curve in baseline.items()}, cell)


def is_clear(ratios: Sequence[float]) -> bool:
    """Return True if every block shows the same difference, far beyond the scatter between blocks."""
    if len(ratios) < 2:
        return False
    return abs(statistics.fmean(ratios)) > CLEAR_DEVIATIONS * statistics.stdev(ratios) and (
        min(ratios) > 0 or max(ratios) < 0
    )


def measure_block_s(jobs: Iterable[Job]) -> float:
    """Return the median duration of a run's blocks in seconds; 0 without any job."""
    took = dict[int, float]()
    for process in derive_processes(jobs):
        if process.block and process.took_ns is not None:
            took[process.block] = took.get(process.block, 0.0) + process.took_ns / 1e9
    return statistics.median(took.values()) if took else 0.0
