"""Detection of cached results, by calls on inputs that no call has had yet.

Timed calls return to the same few sets of inputs. A mode that caches their outputs returns correct results and does no
work. Where the work is small, nothing else reveals it: twice the calls take twice the time. So calls on new inputs are
timed in turn with calls on the timed ones. An honest mode takes as long for both.
"""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from schemas.event import MAX_UNSEEN_RATIO
from workers.measurement.stopwatch import Stopwatch, Timed

if TYPE_CHECKING:
    from workers.interfaces import Framework
    from workers.problem.problem import Problem

TRIES = 3

# Pairs of new sets of inputs in one try.
FEWEST, MOST = 1, 8

# The time limit for the calls of one try, unless they are already the fewest.
MAX_TRY_NS = 300_000_000

# The size limit for the new inputs of one try as float64, unless they are already the fewest.
MAX_TRY_BYTES = 1 << 26


def measure_slowdown(framework: "Framework", problem: "Problem", watch: Stopwatch, call_ns: float) -> Timed[float]:
    """Return the time of a call on new inputs over that on timed inputs: the lower quartile of a few pairs.

    Noise must not accuse an honest mode, so three pairs of four must agree in every try. Of a few tries the lowest
    counts, and the first that does not accuse is the last.
    """
    lowest, alive = float("inf"), list[Any]()
    size = max(1, sum(value.nbytes for value in problem.input_sets[0]))
    calls = 2 * (len(watch.input_sets) + 2)
    pairs = min(MOST, max(FEWEST, min(round(MAX_TRY_NS / (calls * call_ns)), MAX_TRY_BYTES // (2 * size))))
    for _ in range(TRIES):
        ratios = sorted((yield from time_pairs(framework, problem, watch, pairs, alive)))
        lowest = min(lowest, ratios[pairs // 4])
        if lowest <= MAX_UNSEEN_RATIO:
            break
    return lowest


def time_pairs(
    framework: "Framework", problem: "Problem", watch: Stopwatch, pairs: int, alive: list[Any]
) -> Timed[list[float]]:
    """Return the times of calls on two new sets of inputs over those on two timed ones, by geometric means.

    The first new set comes before its timed one and the other after it. The second of two follows a call that took the
    same branches, which may halve its time. Before each two, all timed sets are called in turn. So a small cache of
    results holds the timed sets again, and new arrays are as cold in the CPU's caches as old ones.
    New arrays are added to `alive` until the last call of all tries: a freed address could be reused, and be cached.
    """
    timed, ratios = watch.input_sets, list[float]()
    for number, inputs in enumerate(problem.draw_unseen(2 * pairs)):
        alive.append(framework.arrays(inputs))
        place = number % len(timed)
        for known in (*timed[place:], *timed[:place]):
            yield partial(watch.time_call, known)
        new, old = partial(watch.time_call, alive[-1]), partial(watch.time_call, timed[place])
        if number % 2:
            (old_ns, _), (new_ns, _) = (yield old), (yield new)
        else:
            (new_ns, _), (old_ns, _) = (yield new), (yield old)
        ratios.append(new_ns / old_ns)
    return [math.sqrt(one * other) for one, other in zip(ratios[::2], ratios[1::2], strict=True)]
