"""tinygrad on the CPU: as written, or captured and replayed by TinyJit.

A tensor of tinygrad is lazy. A step realises its outputs, so a call has finished when it returns.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad import Device, Tensor, TinyJit, helpers
from tinygrad.codegen import to_program_cache

from schemas.event import Setting
from schemas.job import Cell
from workers import contract
from workers.arrays import Array, cast_floating, widen_values
from workers.errors import Unsupported
from workers.frameworks import check_output_types, classify_denormals, pair_settings, to_tuple
from workers.frameworks import numpy as host
from workers.interfaces import Prepared, Shape, Step, select_trained
from workers.precision import check_precision

CPU = "CPU"
COMPILER = "CC"


class Framework:
    """tinygrad, whose CPU device runs one kernel after another in the calling thread."""

    def __init__(self, cell: Cell) -> None:
        if cell.threads > 1 and cell.track == "parity":
            raise Unsupported(
                "tinygrad's CPU device runs all parts of a kernel in the calling thread, one after another; choose "
                "--threads 1"
            )
        self._cell = cell
        # Operators of lazy tensors compute nothing, so NumPy measures the machine.
        self.arithmetic = host.make_arithmetic(cell)
        # TinyJit has one set of outputs, which each call overwrites.
        self.reuses_outputs = cell.mode == "jit"

    def apply_settings(self) -> None:
        """Open the device, which compiles its first programs.

        Raises:
            Unsupported: there is no clang.
        """
        if missing := find_missing_compiler(os.environ.get(COMPILER, "")):
            raise Unsupported(missing)
        # A template has imported tinygrad before its job was given a folder.
        helpers.CACHEDB = os.environ.get("CACHEDB", helpers.CACHEDB)
        helpers.DEV.value = CPU
        Device[CPU].synchronize()

    def read_settings(self) -> Sequence[Setting]:
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        asked = {"device": CPU}
        if self._cell.track == "parity":
            asked |= {"parts of a kernel": "1", "processes beside it that compile": "0", "search for kernels": "off"}
        got = {
            "device": Device.DEFAULT,
            "renderer": type(Device[CPU].renderer).__name__,
            "parts of a kernel": str(helpers.NUM_CPU_THREADS.value),
            "processes beside it that compile": str(helpers.PARALLEL.value),
            "search for kernels": str(helpers.BEAM.value or "off"),
            "denormals": classify_denormals(float(tiny[0])),
        }
        return pair_settings(asked, got)

    def build_info(self) -> str:
        """Return the file of the compiler: tinygrad does not describe its build."""
        return str(Path(shutil.which(os.environ.get(COMPILER) or "clang") or "").resolve())

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        typed = (np.ascontiguousarray(cast_floating(value, self._cell.dtype)) for value in values)
        return tuple(Tensor(value, device=CPU).realize() for value in typed)

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        """Return the model, and its trained weights."""
        tensors = dict(zip(weights, self.arrays(list(weights.values())), strict=True))
        model = contract.find_model_class(implementation, self._cell.task)(self._cell.parameters, tensors)
        return model, list(select_trained(tensors).values())

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        compute = self._make_step(*model)
        if self._cell.mode == "lazy":
            return Prepared(None, lambda: compute)
        if any(None in shape for shape in shapes):
            raise Unsupported("TinyJit replays kernels for the shapes that it has captured, and raises on others")
        return Prepared(None, lambda: TinyJit(compute))

    def _make_step(self, model: Any, weights: list[Tensor]) -> Step:
        if self._cell.task == "forward":
            return lambda *inputs: realise_outputs(to_tuple(model(*inputs)))

        def compute_gradients(*inputs: Any) -> tuple[Any, ...]:
            loss = model.loss(*inputs)
            return realise_outputs((loss, *loss.gradient(*weights)))

        return compute_gradients

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        Device[CPU].synchronize()

    def compilations(self) -> int | None:
        """Count the kernels that have been compiled in this process."""
        return len(to_program_cache)

    def copy_outputs(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return realise_outputs(tuple(output.clone() for output in outputs))

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, Tensor)
        arrays = [output.numpy() for output in outputs]
        check_precision([array.dtype for array in arrays], self._cell)
        return [widen_values(array) for array in arrays]


def realise_outputs(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Compute lazy outputs, and return them."""
    check_output_types(outputs, Tensor)
    Tensor.realize(*outputs)
    return outputs


def find_missing_compiler(named: str) -> str:
    """Return why kernels cannot be compiled, given what CC names; empty if they can."""
    if named and "clang" not in Path(named).name:
        return f"tinygrad compiles its kernels by clang, and CC names {named}: unset CC, or let it name a clang"
    if shutil.which(named or "clang") is None:
        return f"tinygrad compiles its kernels by clang, and {named or 'clang'} is not on the PATH: install clang"
    return ""
