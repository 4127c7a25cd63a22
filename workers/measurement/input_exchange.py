"""Exchange of the timed sets of inputs between bursts of samples.

A few sets at a time go through the timed calls, so that their numbers stay in the CPU's caches. If they stayed the same
for all samples, a step could learn them. So others take their places, in an order that nobody can know beforehand, and
in other memory. Each is one whose right results the judge knows.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from workers.interfaces import HasChangeableInputs
from workers.measurement.stopwatch import Stopwatch

if TYPE_CHECKING:
    from workers.interfaces import Framework
    from workers.problem.problem import Problem

# The share of the time since the first exchange that exchanges may take.
MAX_SHARE = 0.1


class InputExchange:
    """Callback for between two bursts of samples, which puts other sets of inputs into the places of the timed ones.

    Where one set may be more work than another, each keeps its place, and is made anew in other memory.
    """

    def __init__(
        self,
        framework: "Framework",
        problem: "Problem",
        watch: Stopwatch,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._framework, self._problem, self._watch, self._clock = framework, problem, watch, clock
        self._order = self._order_groups()
        self._begun_ns = self._clock()
        self._spent_ns = 0
        self._found_changes = False

    def __call__(self) -> None:
        """Exchange all sets, unless that has taken too large a share of the time so far."""
        start = self._clock()
        if self._spent_ns > MAX_SHARE * (start - self._begun_ns):
            return
        self._found_changes = self.find_changes()
        for place, number in enumerate(next(self._order)):
            # One after another, so that at most one set is in memory twice.
            self._watch.replace_set(place, number, self._framework.arrays(self._problem.read_timed_set(number)))
        self._spent_ns += self._clock() - start

    def find_changes(self) -> bool:
        """Return whether calls have changed the arrays that they were given, so far."""
        if self._found_changes or not isinstance(self._framework, HasChangeableInputs):
            return self._found_changes
        given = map(self._problem.read_timed_set, self._watch.numbers)
        return not all(map(self._framework.holds_values, self._watch.input_sets, given))

    def _order_groups(self) -> Iterator[Sequence[int]]:
        """Yield the numbers of the sets that are timed next, without end.

        Each group comes once in a round. So every job times all sets about equally often, however much work each is.
        """
        width, chance = len(self._watch.input_sets), random.SystemRandom()
        if self._problem.is_uneven:
            while True:
                yield range(width)
        while True:
            numbers = range(self._problem.timed_sets // width * width)
            groups = [numbers[first : first + width] for first in numbers[::width]]
            for group in chance.sample(groups, len(groups)):
                yield chance.sample(group, width)
