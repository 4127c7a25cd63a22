"""Numba: functions on NumPy arrays, compiled by LLVM before their first call.

A workload has no model: its file has `forward` and `backward`. Each takes the inputs, then by their names the weights
that it needs, and `sizes`, the workload's parameters. Weights that are numbered (`W_0`, `W_1`) come as a tuple by the
name without the number. `backward` returns the loss, then a gradient for each weight, in the order of its arguments.
"""

import inspect
import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np

from schemas.event import Setting
from schemas.job import Cell
from workers import contract
from workers.arrays import Array, cast_floating, widen_values
from workers.errors import Malformed
from workers.frameworks import check_output_types, classify_denormals, pair_settings, to_tuple
from workers.interfaces import Prepared, Shape, Step
from workers.outputs import flatten_outputs
from workers.precision import check_precision

# The arguments of numba.njit.
MODES: Mapping[str, dict[str, bool]] = {
    "njit": {},
    "njit-fastmath": {"fastmath": True},
    "njit-parallel": {"parallel": True},
}

# The argument that has the workload's parameters.
SIZES = "sizes"

NUMBER = re.compile(r"_\d+$")


class Framework:
    """Numba, whose arrays are NumPy's, and whose functions return when everything has been computed."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._is_parallel = cell.mode == "njit-parallel"
        self._dispatcher: Any = None

    def apply_settings(self) -> None:
        """Start the threads of parallel loops. Their number is an environment variable, read by the import."""
        if self._is_parallel:
            numba.get_num_threads()

    def read_settings(self) -> Sequence[Setting]:
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        got = {"denormals": classify_denormals(float(tiny[0]))}
        if not self._is_parallel:
            return pair_settings({}, got)
        asked = {"threads of parallel loops": str(self._cell.threads)} if self._cell.track == "parity" else {}
        return pair_settings(asked, got | {"threads of parallel loops": str(numba.get_num_threads())})

    def build_info(self) -> str:
        return f"LLVM {'.'.join(map(str, llvm.llvm_version_info))} for {llvm.get_host_cpu_name()}"

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        # A function is compiled for an order of memory, too.
        return tuple(np.ascontiguousarray(cast_floating(value, self._cell.dtype)) for value in values)

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        """Return the function of the task, with the weights by their names."""
        name = "forward" if self._cell.task == "forward" else "backward"
        function = getattr(implementation, name, None)
        if not inspect.isfunction(function):
            raise Malformed(f"numba.py has no function {name}; write it", contract.find_file(implementation))
        return function, dict(zip(weights, self.arrays(list(weights.values())), strict=True))

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        function, weights = model
        bound = bind_weights(function, len(example), weights, self._cell.parameters)
        self._dispatcher = numba.njit(**MODES[self._cell.mode])(function)

        def compile_function() -> Step:
            self._dispatcher.compile(tuple(map(numba.typeof, (*example, *bound.values))))
            return self._make_step(self._dispatcher, bound, list(weights))

        return Prepared("compile", compile_function)

    def _make_step(self, compute: Callable[..., Any], bound: "Bound", names: list[str]) -> Step:
        values = bound.values
        if self._cell.task == "forward":
            return lambda *inputs: to_tuple(compute(*inputs, *values))
        if bound.weights == names:
            return lambda *inputs: compute(*inputs, *values)
        order = [bound.weights.index(name) for name in names]

        def compute_gradients(*inputs: Any) -> tuple[Any, ...]:
            loss, *gradients = compute(*inputs, *values)
            flat = flatten_outputs(gradients)
            return (loss, *[flat[place] for place in order])

        return compute_gradients

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: a call has finished when it returns."""

    def compilations(self) -> int | None:
        """Count the combinations of types that the function has been compiled for."""
        return None if self._dispatcher is None else len(self._dispatcher.signatures)

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        # A compiled function returns a number as Python's.
        check_output_types(outputs, np.ndarray, float)
        check_precision([getattr(output, "dtype", self._cell.dtype) for output in outputs], self._cell)
        return [widen_values(output) for output in outputs]


@dataclass(frozen=True, slots=True)
class Bound:
    """The arguments of a function after its inputs, and the names of all weights among them, in their order."""

    values: tuple[Any, ...]
    weights: list[str]


def bind_weights(function: Any, inputs: int, weights: Mapping[str, Array], parameters: Mapping[str, int]) -> Bound:
    """Bind the arguments of a function after this number of inputs by their names.

    Raises:
        Malformed: an argument has the name of no weight.
    """
    values, bound = list[Any](), list[str]()
    for argument in list(inspect.signature(function).parameters)[inputs:]:
        names = [name for name in weights if argument in (name, NUMBER.sub("", name))]
        if argument == SIZES:
            values.append(namedtuple("Sizes", parameters)(**parameters))
        elif not names:
            known = contract.shorten_names([*weights, SIZES])
            raise Malformed(
                f"{function.__name__} has the argument {argument}, which is no weight; after the inputs it may have "
                f"{known}",
                contract.find_place(inspect.getmodule(function), function.__name__),
            )
        else:
            values.append(weights[argument] if argument in weights else tuple(weights[name] for name in names))
            bound += names
    return Bound(tuple(values), bound)
