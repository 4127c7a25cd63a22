"""Detection of cached results, by calls on inputs that no call has had yet.

Timed calls return to the same few sets of inputs. A mode that caches their outputs returns correct results and does no
work. Where the work is small, nothing else reveals it: twice the calls take twice the time. So calls on new inputs are
timed in turn with calls on the timed ones. An honest mode takes as long for both. A mode may also do its work for a
while after inputs that it does not know, until it knows them again. So whole samples of new inputs are timed as well.
"""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from schemas.event import MAX_UNSEEN_RATIO
from workers.measurement.stopwatch import (
    ENOUGH_RATIOS,
    MAX_LOST_SHARE,
    MOST_RATIOS,
    Stopwatch,
    Timed,
    Watch,
    bound_ratios,
)

if TYPE_CHECKING:
    from workers.interfaces import Framework
    from workers.problem.problem import Problem

# Pairs of new sets of inputs in the first try.
FEWEST, MOST = 1, 8

# The time limit for the calls of the first try, unless they are already the fewest.
MAX_TRY_NS = 300_000_000

# The size limit for the new inputs of the first try as float64, unless they are already the fewest.
MAX_TRY_BYTES = 1 << 26

# The calls in a sample of new inputs, and the size limit of these as float64. Where calls are long, inputs large, or
# timed sets few, there is no such sample, and each new call is judged alone.
FEWEST_CALLS, MOST_CALLS, MAX_SAMPLE_BYTES = 16, 32, 1 << 20
MAX_SAMPLE_NS = 10_000_000
# The time for which known inputs are called before each such sample: longer than between two exchanges of timed sets.
KNOWN_NS = 12_000_000


def measure_slowdown(
    framework: "Framework", problem: "Problem", watch: Stopwatch, call_ns: float, alone: Watch = lambda: lambda *_: 0
) -> Timed[float | None]:
    """Return the time of calls on new inputs over that on timed inputs: the larger of single calls and of samples."""
    single = yield from measure_in_single_calls(framework, problem, watch, call_ns, alone)
    if single is not None and single > MAX_UNSEEN_RATIO:
        return single
    sampled = yield from measure_in_samples(framework, problem, watch, call_ns, alone)
    return max((each for each in (single, sampled) if each is not None), default=None)


def measure_in_samples(
    framework: "Framework", problem: "Problem", watch: Stopwatch, call_ns: float, alone: Watch
) -> Timed[float | None]:
    """Return the time of a sample whose inputs are all new over that of known inputs, as the pairs support it.

    The known ones are as many timed sets. Each comes once, as a new one does: from a few that come again and again, a
    core learns to predict the branches, which halves the time of a sine or tanh of JAX's. Both are in arrays that no
    call has had, whose first call may take longer. Calls on other arrays of the known ones come beforehand, and then
    calls on the few that are timed now, until a step that is careful after new inputs trusts them again. One acceptable
    ratio of an undisturbed pair acquits, and so do new calls as fast as timed ones. None: too few pairs were
    undisturbed, or such samples tell nothing here.
    """
    calls = count_new_calls(problem, call_ns)
    ratios, alive = list[float](), list[Stopwatch]()  # a freed address could be reused, and be cached
    known = [problem.read_timed_set(number) for number in range(calls)]
    while calls and len(new := problem.draw_new(calls)) == calls and len(alive) < 3 * MOST_RATIOS:
        first, *pair = (watch.make_other([framework.arrays(each) for each in sets]) for sets in (known, known, new))
        alive += [first, *pair]
        yield partial(first.take_sample, calls)
        floor_ns = yield from measure_floor_ns(watch, calls)
        lost_ns = alone()
        known_ns: int = yield partial(pair[0].take_sample, calls)
        new_ns: int = yield partial(pair[1].take_sample, calls)
        if new_ns <= MAX_UNSEEN_RATIO * floor_ns:
            return new_ns / floor_ns
        if lost_ns(known_ns + new_ns, pair[0].cpu_ns + pair[1].cpu_ns) <= MAX_LOST_SHARE * (known_ns + new_ns):
            ratios.append(new_ns / known_ns)
            if ratios[-1] <= MAX_UNSEEN_RATIO:
                return ratios[-1]
    lower, _ = bound_ratios(ratios)
    return lower if lower > 0 else None


def measure_floor_ns(watch: Stopwatch, calls: int) -> Timed[int]:
    """Call the timed sets for a while; return the time of the fastest sample."""
    taken = list[int]()
    while sum(taken) < KNOWN_NS:
        taken.append((yield partial(watch.take_sample, calls)))
    return min(taken)


def count_new_calls(problem: "Problem", call_ns: float) -> int:
    """Return the number of calls in a sample of new inputs; 0 where there is none."""
    size = sum(value.nbytes for value in problem.input_sets[0])
    if problem.is_uneven or not size:
        return 0
    calls = min(MOST_CALLS, problem.timed_sets, int(MAX_SAMPLE_NS / call_ns), MAX_SAMPLE_BYTES // size)
    return calls if calls >= FEWEST_CALLS else 0


def measure_in_single_calls(
    framework: "Framework", problem: "Problem", watch: Stopwatch, call_ns: float, alone: Watch
) -> Timed[float | None]:
    """Return the time of a call on new inputs over that on timed inputs, as the lowest ratio that the pairs support.

    Noise must not accuse an honest mode, so pairs that `alone` finds disturbed do not count. One acceptable ratio is
    enough to acquit, also that of any new call to `call_ns`, the floor of the timed ones: a disturbance only slows a
    call down. Without any, more pairs are timed, and the lower end of their interval counts. None: too few of them were
    undisturbed, or there are no inputs that could be new.
    """
    if not problem.input_sets[0]:
        return None
    alive = list[Any]()
    size = max(1, sum(value.nbytes for value in problem.input_sets[0]))
    calls = 2 * (len(watch.input_sets) + 2)
    pairs = min(MOST, max(FEWEST, min(round(MAX_TRY_NS / (calls * call_ns)), MAX_TRY_BYTES // (2 * size))))
    ratios, fastest_ns = yield from time_pairs(framework, problem, watch, pairs, alive, alone)
    if ratios and (lowest := min(ratios)) <= MAX_UNSEEN_RATIO:
        return lowest
    tried = pairs
    while fastest_ns > MAX_UNSEEN_RATIO * call_ns and len(ratios) < 2 * ENOUGH_RATIOS and tried < MOST_RATIOS:
        more, new_ns = yield from time_pairs(framework, problem, watch, 1, alive, alone)
        ratios, fastest_ns, tried = ratios + more, min(fastest_ns, new_ns), tried + 1
    if fastest_ns <= MAX_UNSEEN_RATIO * call_ns:
        return fastest_ns / call_ns
    lower, _ = bound_ratios(ratios)
    return lower if ratios and lower > 0 else None


def time_pairs(
    framework: "Framework", problem: "Problem", watch: Stopwatch, pairs: int, alive: list[Any], alone: Watch
) -> Timed[tuple[list[float], int]]:
    """Return the times of calls on two new sets of inputs over those on two timed ones, by geometric means.

    The second result is the time of the fastest call on a new set, in nanoseconds.

    The first new set comes before its timed one and the other after it. The second of two follows a call that took the
    same branches, which may halve its time. Before each two, all timed sets are called in turn. So a small cache of
    results holds the timed sets again, and new arrays are as cold in the CPU's caches as old ones.
    New arrays are added to `alive` until the last call of all tries: a freed address could be reused, and be cached.
    """
    timed, halves, new_ns = watch.input_sets, list[float](), list[int]()
    for number, inputs in enumerate(problem.draw_unseen(2 * pairs)):
        alive.append(framework.arrays(inputs))
        place = number % len(timed)
        lost_ns = alone()
        for known in (*timed[place:], *timed[:place]):
            yield partial(watch.time_call, known)
        order = [timed[place], alive[-1]] if number % 2 else [alive[-1], timed[place]]
        times = list[tuple[int, int]]()
        for each in order:
            took, _ = yield partial(watch.time_call, each)
            times.append((took, watch.cpu_ns))
        disturbed = any(lost_ns(took, used) > MAX_LOST_SHARE * took for took, used in times)
        (first_ns, _), (second_ns, _) = times
        new_ns.append(second_ns if number % 2 else first_ns)
        ratio = second_ns / first_ns if number % 2 else first_ns / second_ns
        halves.append(math.nan if disturbed else ratio)
    ratios = (math.sqrt(one * other) for one, other in zip(halves[::2], halves[1::2], strict=True))
    return [ratio for ratio in ratios if not math.isnan(ratio)], min(new_ns)
