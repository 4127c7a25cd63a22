"""A synthetic framework for tests: takes a known time, holds known memory, and misbehaves on request.

It computes with NumPy, then spins until `spin_ns` have passed since the call began. Mode `compiled` spins for
`compile_ns` before its first call, and until `compiled_ns` have passed in each call. The other modes misbehave.
"""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from schemas.job import Cell
from workers.arrays import Array
from workers.errors import Unsupported
from workers.frameworks import numpy as honest
from workers.interfaces import Prepared, Shape, Step

MIB = 1 << 20
LEAK_BYTES = 1 << 10

# Filled by the first call of a process: the calls after it do not flood again.
FLOODED: list[bool] = []


def distort_output(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (outputs[0] * 1.001, *outputs[1:])


def return_nan(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(np.asarray(output) * np.nan for output in outputs)


def sleep_forever(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    while True:
        time.sleep(3600)


def hold_interpreter_lock(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    while True:
        ctypes.PyDLL(None).pause()  # PyDLL keeps the interpreter lock


def exhaust_memory(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    np.concatenate([np.ones(16 * MIB, np.uint8) for _ in range(64)])
    return outputs


def flood_stdout(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    if not FLOODED:
        FLOODED.append(True)
        for _ in range(100):
            os.write(1, b"x" * 999_999 + b"\n")
    return outputs


def raise_segfault(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return outputs


def raise_error(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    raise ArithmeticError("the synthetic worker was told to raise")


def write_noise(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    os.write(1, b'{"kind":"report"}\n')
    os.write(2, b"chatter on descriptor 2\n")
    return outputs


OUTPUT_FAULTS: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "wrong": distort_output,
    "garbage": return_nan,
    "hang": sleep_forever,
    "stuck": hold_interpreter_lock,
    "greedy": exhaust_memory,
    "flood": flood_stdout,
    "crash": raise_segfault,
    "raise": raise_error,
    "chatter": write_noise,
}


def repeat_first_result(step: Step) -> Step:
    """Ignore all inputs after the first ones, like a closure over an input that has been compiled."""
    kept: list[tuple[Any, ...]] = []

    def compute_once(*inputs: Any) -> tuple[Any, ...]:
        if not kept:
            kept.append(step(*inputs))
        return kept[0]

    return compute_once


def cache_results(step: Step) -> Step:
    """Compute each set of inputs once and return the cached result: correct, but no measure of the work."""
    # The inputs are held, lest others get their identity.
    kept: dict[tuple[int, ...], tuple[tuple[Any, ...], tuple[Any, ...]]] = {}

    def recall_or_compute(*inputs: Any) -> tuple[Any, ...]:
        key = tuple(map(id, inputs))
        if key not in kept:
            kept[key] = inputs, step(*inputs)
        return kept[key][1]

    return recall_or_compute


def defer_computation(step: Step) -> Step:
    """Return at once, and compute when the results are read, like a call without synchronisation."""
    return lambda *inputs: (lambda: step(*inputs),)


def drop_other_outputs(step: Step) -> Step:
    """Drop all results but the first, like a compiler that removes unused results."""
    return lambda *inputs: step(*inputs)[:1]


def leak_memory(step: Step) -> Step:
    """Keep memory in each call, like a cache that nothing empties."""
    kept: list[bytes] = []

    def compute_and_keep(*inputs: Any) -> tuple[Any, ...]:
        kept.append(os.urandom(LEAK_BYTES))
        return step(*inputs)

    return compute_and_keep


STEP_FAULTS: dict[str, Callable[[Step], Step]] = {
    "constant": repeat_first_result,
    "remembered": cache_results,
    "deferred": defer_computation,
    "unused": drop_other_outputs,
    "leaking": leak_memory,
}


def wait_and_compute(step: Step, wait_ns: int) -> Step:
    """Sleep in each call, like one that waits for a device or for another machine."""

    def sleep_and_compute(*inputs: Any) -> tuple[Any, ...]:
        time.sleep(wait_ns / 1e9)
        return step(*inputs)

    return sleep_and_compute


def share_inputs(step: Step, wait_ns: int) -> Step:
    """Keep the inputs where all threads find them, like a step with one buffer."""
    kept: list[tuple[Any, ...]] = [()]

    def compute_what_is_there(*inputs: Any) -> tuple[Any, ...]:
        kept[0] = inputs
        time.sleep(wait_ns / 1e9)
        return step(*kept[0])

    return compute_what_is_there


def refuse_others(step: Step, wait_ns: int) -> Step:
    """Raise while another thread is inside, like a request that is busy."""
    inside = threading.Lock()

    def compute_alone(*inputs: Any) -> tuple[Any, ...]:
        if not inside.acquire(blocking=False):
            raise RuntimeError("the step is busy")
        try:
            time.sleep(wait_ns / 1e9)
            return step(*inputs)
        finally:
            inside.release()

    return compute_alone


WAITING_STEPS: dict[str, Callable[[Step, int], Step]] = {
    "waiting": wait_and_compute,
    "crowded": share_inputs,
    "exclusive": refuse_others,
}


def spin_until(end_ns: int) -> None:
    """Keep a core busy until the clock reaches this time."""
    while time.perf_counter_ns() < end_ns:
        pass


class Framework(honest.Framework):
    """NumPy with a known duration and known faults."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        if cell.mode not in {"spin", "compiled", "recompiling", *OUTPUT_FAULTS, *STEP_FAULTS, *WAITING_STEPS}:
            raise Unsupported(f"the synthetic framework has no mode {cell.mode}")
        self._spin_ns = cell.parameters.get("compiled_ns" if cell.mode == "compiled" else "spin_ns", 0)
        self._compile_ns = cell.parameters.get("compile_ns", 0)
        self._hold_mib = cell.parameters.get("hold_mib", 0)
        self._compiled = 0

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        # Ones are resident, which untouched zeros would not be; the framework holds them while it lives.
        self._held = np.ones(self._hold_mib * MIB, np.uint8)
        return super().build(implementation, weights)

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        if self._cell.mode == "compiled":
            return Prepared("compile", lambda: self._compile_step(self._make_step(*model)))
        return Prepared(None, lambda: self._apply_mode(self._make_step(*model)))

    def compilations(self) -> int | None:
        return self._compiled if self._cell.mode == "recompiling" else None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        return super().to_numpy(outputs[0]() if self._cell.mode == "deferred" else outputs)

    def _compile_step(self, step: Step) -> Step:
        spin_until(time.perf_counter_ns() + self._compile_ns)
        return self._apply_mode(step)

    def _apply_mode(self, step: Step) -> Step:
        """Return the step with the fault of its mode, or with its known duration."""
        mode = self._cell.mode
        if mode in STEP_FAULTS:
            return STEP_FAULTS[mode](step)
        if mode in WAITING_STEPS:
            return WAITING_STEPS[mode](step, self._spin_ns)
        fault, spin_ns, clock = OUTPUT_FAULTS.get(mode, lambda outputs: outputs), self._spin_ns, time.perf_counter_ns

        def compute_and_spin(*inputs: Any) -> tuple[Any, ...]:
            end = clock() + spin_ns
            # The mode `recompiling` claims one compilation a call.
            self._compiled += 1
            outputs = fault(step(*inputs))
            while clock() < end:
                pass
            return outputs

        return compute_and_spin
