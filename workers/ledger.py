"""What each phase of a job took, in the order in which they came."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.event import Phase, PhaseCost, PhaseName


class Ledger:
    """Opens and closes phases, and says so as each begins."""

    def __init__(self, announce: Callable[[Phase], None]) -> None:
        self._announce = announce
        self._costs: list[PhaseCost] = []

    @contextmanager
    def phase(self, name: PhaseName) -> Iterator[None]:
        """Measure what happens inside. The announcement is sent before the clock starts."""
        self._announce(Phase(name=name))
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        yield
        self._costs.append(
            PhaseCost(name=name, wall_ns=time.perf_counter_ns() - wall, cpu_ns=time.process_time_ns() - cpu)
        )

    @property
    def costs(self) -> tuple[PhaseCost, ...]:
        """The phases closed so far. One that was entered twice appears once, with its parts added."""
        merged: dict[PhaseName, PhaseCost] = {}
        for cost in self._costs:
            before = merged.get(cost.name)
            merged[cost.name] = (
                cost
                if before is None
                else PhaseCost(
                    name=cost.name, wall_ns=before.wall_ns + cost.wall_ns, cpu_ns=before.cpu_ns + cost.cpu_ns
                )
            )
        return tuple(merged.values())
