"""IREE on the CPU: a module that IREE's compiler made of what JAX exported."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from iree import runtime

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array, cast_floating, widen_values
from workers.frameworks import check_output_types, classify_denormals, pair_settings
from workers.frameworks import numpy as host
from workers.interfaces import Prepared, Shape, Step
from workers.precision import check_precision

# JAX's integers, unless its 64-bit types are enabled.
NARROWER = {np.dtype("int64"): np.dtype("int32"), np.dtype("uint64"): np.dtype("uint32")}

# IREE's name for the threads of its pool. Counting them is the only way to read back how many there are.
POOL_THREAD_PREFIX = "iree-worker-"


class Framework:
    """IREE, whose arrays are views of buffers on its device. They have no operators, so NumPy measures the machine."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self.arithmetic = host.Framework(cell)
        # The synchronous driver has no thread of its own; the other one has a pool.
        self._driver = "local-sync" if cell.threads == 1 and cell.track == "parity" else "local-task"
        self._device: Any = None
        self._context: Any = None

    def apply_settings(self) -> None:
        """Start the device. The pool's size is a flag, which counts when its driver is made."""
        if self._cell.track == "parity":
            runtime.flags.parse_flags(f"--task_topology_group_count={self._cell.threads}")
        self._device = runtime.get_driver(self._driver).create_default_device()

    def read_settings(self) -> Sequence[Setting]:
        asked = {}
        if self._cell.track == "parity":
            asked = {"threads of IREE's pool": str(0 if self._driver == "local-sync" else self._cell.threads)}
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        got = {
            "driver": self._driver,
            "threads of IREE's pool": str(count_pool_threads()),
            "denormals": classify_denormals(float(tiny[0])),
        }
        return pair_settings(asked, got)

    def build_info(self) -> str:
        return ", ".join(runtime.query_available_drivers())

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        typed = [cast_floating(value, self._cell.dtype) for value in values]
        return tuple(self._copy_to_device(value.astype(NARROWER.get(value.dtype, value.dtype))) for value in typed)

    def _copy_to_device(self, value: Array) -> Any:
        return self._device.allocator.allocate_buffer_copy(
            memory_type=runtime.MemoryType.DEVICE_LOCAL,
            allowed_usage=runtime.BufferUsage.DEFAULT | runtime.BufferUsage.MAPPING,
            device=self._device,
            buffer=np.ascontiguousarray(value),
            element_type=runtime.array_interop.map_dtype_to_element_type(value.dtype),
        )

    def build(self, implementation: Path, weights: Mapping[str, Array]) -> Any:
        """Return the path of the file, which holds the weights."""
        return implementation

    def step(self, model: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return Prepared("load", lambda: self._load_module(model))

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return self.step(path, example, shapes)

    def _load_module(self, path: Path) -> Step:
        self._context = runtime.SystemContext(config=runtime.Config(device=self._device))
        module = runtime.VmModule.mmap(self._context.instance, str(path))
        self._context.add_vm_module(module)
        function, invoke = module.lookup_function("main"), self._context.vm_context.invoke

        def step(*inputs: Any) -> tuple[Any, ...]:
            arguments, results = runtime.VmVariantList(len(inputs)), runtime.VmVariantList(1)
            for view in inputs:
                arguments.push_ref(view)
            invoke(function, arguments, results)
            return tuple([results.get_as_object(place, runtime.HalBufferView) for place in range(len(results))])

        return step

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: `invoke` returns when everything has been computed."""

    def compilations(self) -> int | None:
        """Return None: everything was compiled before."""
        return None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, runtime.HalBufferView)
        arrays = [runtime.DeviceArray(self._device, output).to_host() for output in outputs]
        check_precision([array.dtype for array in arrays], self._cell)
        return [widen_values(array) for array in arrays]


def count_pool_threads() -> int:
    """Count the threads of this process that bear the name of IREE's pool; 0 if the system lists none."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return 0
    return sum((task / "comm").read_text().startswith(POOL_THREAD_PREFIX) for task in tasks.iterdir())
