"""An instrument for tests: takes a known time, holds known memory, and misbehaves when told to.

It computes what NumPy computes, then spins until `spin_ns` have passed since the call began. Its modes are the
ways to misbehave.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from schemas.job import Cell
from workers.arrays import Array
from workers.frameworks import Prepared, Shape, Step
from workers.frameworks import numpy as honest

MIB = 1 << 20


def wrong(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (outputs[0] * 1.001, *outputs[1:])


def garbage(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(np.asarray(output) * np.nan for output in outputs)


def hang(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    while True:
        time.sleep(3600)


def crash(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return outputs


def raise_(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    raise ArithmeticError("the synthetic worker was told to raise")


def chatter(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    os.write(1, b'{"kind":"report"}\n')
    os.write(2, b"chatter on descriptor 2\n")
    return outputs


MODES: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "spin": lambda outputs: outputs, "wrong": wrong, "garbage": garbage,
    "hang": hang, "crash": crash, "raise": raise_, "chatter": chatter,
}  # fmt: skip


class Framework(honest.Framework):
    """NumPy with a known duration and known faults."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self._spin_ns = cell.parameters.get("spin_ns", 0)
        self._hold_mib = cell.parameters.get("hold_mib", 0)

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        self._held = np.ones(self._hold_mib * MIB, np.uint8)
        return super().build(implementation, weights)

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared:
        return Prepared(None, lambda: self._timed(self._step(*model)))

    def _timed(self, step: Step) -> Step:
        misbehave, spin_ns, clock = MODES[self._cell.mode], self._spin_ns, time.perf_counter_ns

        def spinning(*inputs: Any) -> tuple[Any, ...]:
            end = clock() + spin_ns
            outputs = misbehave(step(*inputs))
            while clock() < end:
                pass
            return outputs

        return spinning
