"""LiteRT on the CPU, formerly TensorFlow Lite: an interpreter of a model that another framework exported."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array, cast_floating, widen_values
from workers.frameworks import check_output_types, classify_denormals, pair_settings
from workers.frameworks import numpy as host
from workers.interfaces import Prepared, Shape, Step
from workers.precision import check_precision


class Framework:
    """LiteRT's interpreter with its default delegate, XNNPACK. It takes NumPy's arrays and returns new ones."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._threads = cell.threads if cell.track == "parity" else None
        # NumPy measures what the machine can do, in the cell's dtype.
        self.arithmetic = host.Framework(cell)
        self._started = 0
        self._interpreter: Any = None
        self._open_step: Callable[[], Step] | None = None

    def apply_settings(self) -> None:
        """Do nothing: the number of threads is an argument of the interpreter."""

    def build_info(self) -> str:
        """Return nothing: LiteRT does not describe its build."""
        return ""

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(cast_floating(value, self._cell.dtype) for value in values)

    def build(self, implementation: Path, weights: Mapping[str, Array]) -> Any:
        """Return the path of the file, which holds the weights."""
        return implementation

    def step(self, model: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        self._open_step = partial(self._open_interpreter, model, example, shapes)
        return Prepared("load", self._open_step)

    def make_clients(self, count: int) -> Sequence[Step]:
        """Return steps with an interpreter each: one has the memory of one call."""
        assert self._open_step is not None
        return [self._open_step() for _ in range(count)]

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return self.step(path, example, shapes)

    def _open_interpreter(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Step:
        """Open the file and plan its memory for the example's shapes."""
        before = count_threads()
        self._interpreter = interpreter = Interpreter(str(path), num_threads=self._threads)
        inputs, outputs = read_signature(interpreter)
        resize_inputs(interpreter, inputs, example)
        self._started = count_threads() - before
        set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

        def step(*values: Any) -> tuple[Any, ...]:
            for place, index in inputs:
                set_tensor(index, values[place])
            invoke()
            return tuple([get_tensor(index) for index in outputs])

        if not any(None in shape for shape in shapes):
            return step
        last = [value.shape for value in example]

        def resizing_step(*values: Any) -> tuple[Any, ...]:
            nonlocal last
            if (now := [value.shape for value in values]) != last:
                resize_inputs(interpreter, inputs, values)
                last = now
            return step(*values)

        return resizing_step

    def read_settings(self) -> Sequence[Setting]:
        """Count the threads that the interpreter has started, and read denormals from an operation on this one.

        LiteRT has no getter for either.
        """
        if self._interpreter is None:
            return ()
        asked = {} if self._threads is None else {"threads": str(self._threads)}
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        return pair_settings(
            asked, {"threads": str(self._started + 1), "denormals": classify_denormals(float(tiny[0]))}
        )

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: `invoke` returns when everything has been computed."""

    def compilations(self) -> int | None:
        """Return None: nothing is compiled; for other shapes, memory is planned anew."""
        return None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, np.ndarray, np.generic)
        check_precision([output.dtype for output in outputs], self._cell)
        return [widen_values(output) for output in outputs]


def read_signature(interpreter: Any) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the place and the tensor of each input that the model uses, and the tensors of the outputs in order.

    The exporter names them by their numbers. While the signature's runner exists, no memory can be planned.
    """
    runner = interpreter.get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    return (
        [(int(name.removeprefix("input_")), each["index"]) for name, each in inputs.items()],
        [outputs[name]["index"] for name in sorted(outputs, key=int)],
    )


def resize_inputs(interpreter: Any, inputs: Sequence[tuple[int, int]], values: Sequence[Any]) -> None:
    """Give the inputs the shapes of these values, and plan memory for them."""
    for place, index in inputs:
        interpreter.resize_tensor_input(index, values[place].shape)
    interpreter.allocate_tensors()


def count_threads() -> int:
    """Count the threads of this process; 0 if the system lists none."""
    tasks = Path("/proc/self/task")
    return sum(1 for _ in tasks.iterdir()) if tasks.is_dir() else 0
