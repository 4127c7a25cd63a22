"""ExecuTorch on the CPU: a program that PyTorch exported, whose operations XNNPACK runs where it can."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from executorch.extension.pybindings import portable_lib
from executorch.runtime import Runtime

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array
from workers.frameworks import pair_settings
from workers.frameworks import torch as host
from workers.interfaces import Prepared, Shape, Step


class Framework:
    """ExecuTorch, whose runtime takes PyTorch's tensors and returns new ones."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        # PyTorch makes the tensors, and measures what the machine can do.
        self.arithmetic = host.Framework(cell)
        self._program: Any = None

    def apply_settings(self) -> None:
        self.arithmetic.apply_settings()
        if self._cell.track == "parity":
            portable_lib._unsafe_reset_threadpool(self._cell.threads)  # noqa: SLF001 (there is no public name for it)

    def read_settings(self) -> Sequence[Setting]:
        """Read the size of XNNPACK's pool, and PyTorch's settings, of which denormals hold for the calling thread."""
        asked = {"threads of XNNPACK's pool": str(self._cell.threads)} if self._cell.track == "parity" else {}
        size = portable_lib._threadpool_get_thread_count()  # noqa: SLF001 (as above)
        return (*pair_settings(asked, {"threads of XNNPACK's pool": str(size)}), *self.arithmetic.read_settings())

    def build_info(self) -> str:
        return ", ".join(Runtime.get().backend_registry.registered_backend_names)

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return self.arithmetic.arrays(values)

    def build(self, implementation: Path, weights: Mapping[str, Array]) -> Any:
        """Return the path of the file, which holds the weights."""
        return implementation

    def step(self, model: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return Prepared("load", lambda: self._load_method(model))

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return self.step(path, example, shapes)

    def make_clients(self, count: int) -> Sequence[Step]:
        """Return steps with a method each: one has the memory of one call."""
        return [self._make_step() for _ in range(count)]

    def _load_method(self, path: Path) -> Step:
        # A method reads the program's memory, and does not keep it alive.
        # ExecuTorch 1.5.1 ends the process in the first call of some programs that it has opened by their path.
        self._program = Runtime.get().load_program(path.read_bytes())
        return self._make_step()

    def _make_step(self) -> Step:
        execute = self._program.load_method("forward").execute
        return lambda *inputs: tuple(execute(inputs))

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: `execute` returns when everything has been computed."""

    def compilations(self) -> int | None:
        """Return None: XNNPACK prepares its kernels when the program is loaded."""
        return None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        return self.arithmetic.to_numpy(outputs)
