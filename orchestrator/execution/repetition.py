"""The sampling and the warm-up of a cell's later processes, as its first ones decide them. Pure."""

from collections.abc import Sequence

from orchestrator.analysis.derivation.samples import classify_laps
from schemas.event import SINGLE_CALLS, Report
from schemas.job import Timing

# The processes that decide how long later ones warm up.
CONSULTED = 2

# Later processes warm up for so many times as long as these took to become steady, and for at least this part of their
# shortest warm-up.
SAFETY_FACTOR = 2
LEAST_PART = 0.2


def repeat_timing(timing: Timing, earlier: Sequence[Report]) -> Timing:
    """Return the timing of a cell's next process, given the reports of those before it, in their order.

    The first one decides how many calls make a sample: floors of other samples are not comparable.
    """
    if not earlier:
        return timing
    sampling = {"calls": earlier[0].calls, "samples": len(earlier[0].samples_ns)}
    return timing.model_copy(update=sampling | {"warmup_min_ns": choose_warm_up_ns(timing.warmup_min_ns, earlier)})


def choose_warm_up_ns(longest_ns: int, earlier: Sequence[Report]) -> int:
    """Return how long a cell's next process warms up at least, after its single calls, in nanoseconds.

    As every process, it goes on for as long as calls get faster. If one of the first was not steady, nothing is saved.
    """
    traces = [(report.warmup, classify_laps(report.warmup)) for report in earlier[:CONSULTED]]
    if len(traces) < CONSULTED or any(found.kind == "none" for _, found in traces):
        return longest_ns
    needed_ns = max(sum(took for _, took in laps[2 + SINGLE_CALLS : found.start]) for laps, found in traces)
    return min(longest_ns, max(SAFETY_FACTOR * needed_ns, round(LEAST_PART * longest_ns)))
