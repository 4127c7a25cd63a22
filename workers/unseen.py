"""Inputs that no call has had yet: whether timed calls were as fast because their results had been kept.

Timed calls come back to the same few sets of inputs. Whoever keeps what each of them gave is right every time and does
no work, and nothing else gives that away where the work is small: twice the calls take twice the time. So calls on new
inputs are timed beside calls on those that were timed, one by one and in turn, and honest ones take as long.
"""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from schemas.event import KEPT
from workers.stopwatch import Stopwatch, Timed

if TYPE_CHECKING:
    from workers.frameworks import Framework
    from workers.problem import Problem

TRIES = 3
FEWEST, MOST = 1, 8
"""Pairs of new sets of inputs in one try."""

LONG_NS = 300_000_000
"""What calls of one try may take, as long as they are not the fewest."""

LARGE_BYTES = 1 << 26
"""What new inputs of one try may take, as float64 and as long as they are not the fewest."""


def slowdown(framework: "Framework", problem: "Problem", watch: Stopwatch, call_ns: float) -> Timed[float]:
    """What a call on new inputs takes, over a call on inputs that were timed: the lower quartile of a few pairs.

    Noise must not accuse, so it takes three pairs of four, each time: of a few tries the lowest counts, and the first
    that does not accuse is the last.
    """
    lowest, alive = float("inf"), list[Any]()
    size = max(1, sum(value.nbytes for value in problem.input_sets[0]))
    calls = 2 * (len(watch.input_sets) + 2)
    pairs = min(MOST, max(FEWEST, min(round(LONG_NS / (calls * call_ns)), LARGE_BYTES // (2 * size))))
    for _ in range(TRIES):
        ratios = sorted((yield from paired(framework, problem, watch, pairs, alive)))
        lowest = min(lowest, ratios[pairs // 4])
        if lowest <= KEPT:
            break
    return lowest


def paired(
    framework: "Framework", problem: "Problem", watch: Stopwatch, pairs: int, alive: list[Any]
) -> Timed[list[float]]:
    """The times of calls on two new sets of inputs over those of calls on two that were timed, by geometric means.

    The first new one comes before its timed one and the other after it: the second of two comes after a call that took
    the same branches, which may be worth a half. Before each two come all timed sets in turn, as timed calls have them:
    whoever keeps only so many results has these again, and caches are as far from the new arrays as from the old.
    New arrays are added to `alive`, and live until the last call of all tries: the place of one that is gone could be
    another's.
    """
    timed, ratios = watch.input_sets, list[float]()
    for number, inputs in enumerate(problem.unseen(2 * pairs)):
        alive.append(framework.arrays(inputs))
        place = number % len(timed)
        for known in (*timed[place:], *timed[:place]):
            yield partial(watch.call, known)
        new, old = partial(watch.call, alive[-1]), partial(watch.call, timed[place])
        if number % 2:
            (old_ns, _), (new_ns, _) = (yield old), (yield new)
        else:
            (new_ns, _), (old_ns, _) = (yield new), (yield old)
        ratios.append(new_ns / old_ns)
    return [math.sqrt(one * other) for one, other in zip(ratios[::2], ratios[1::2], strict=True)]
