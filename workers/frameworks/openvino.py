"""OpenVINO on the CPU: a model that another framework exported, compiled."""

import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import openvino

from schemas.event import Setting
from schemas.job import Cell
from schemas.models import ModelSource
from workers.arrays import Array, cast_all, widen_values
from workers.frameworks import check_output_types, pair_settings
from workers.frameworks import numpy as host
from workers.interfaces import Prepared, Shape, Step
from workers.precision import check_precision


class Framework:
    """OpenVINO with one request, whose inputs are set and whose outputs stay in OpenVINO's memory.

    Its tensors have no operators, so NumPy measures what the machine can do.
    """

    reuses_outputs = True
    # Each call puts its thread on them, also with ENABLE_CPU_PINNING=NO.
    keeps_cores: Literal[True] = True

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._core = openvino.Core()
        self.arithmetic = host.make_arithmetic(cell)
        self.more: dict[str, str] = {}
        self._dtypes: Sequence[str] = ()
        self._compiled: Any = None
        self._graph: Any = None
        self._source = Path()
        self._calibration: Sequence[tuple[Any, ...]] = ()

    @property
    def _requested_properties(self) -> dict[str, str]:
        """Properties of the compiled model. Plumbline chooses the cores, so OpenVINO does not pin threads itself."""
        if self._cell.track != "parity":
            return {}
        return {
            "INFERENCE_NUM_THREADS": str(self._cell.threads),
            "NUM_STREAMS": "1",
            "PERFORMANCE_HINT": "LATENCY",
            # The default is bfloat16 on CPUs that compute it fast.
            "INFERENCE_PRECISION_HINT": "f32",
            "CPU_DENORMALS_OPTIMIZATION": "YES",
            "ENABLE_CPU_PINNING": "NO",
        }

    def apply_settings(self) -> None:
        """Do nothing: settings are properties of the compiled model."""

    def build_info(self) -> str:
        return openvino.get_version()

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(map(openvino.Tensor, cast_all(values, self._dtypes, self._cell.dtype)))

    def build(self, implementation: Path, weights: Mapping[str, Array]) -> Any:
        """Return the path of the file, which holds the weights."""
        return implementation

    def open_file(self, source: ModelSource, dtypes: Sequence[str]) -> Path:
        self._dtypes = dtypes
        return Path(source.file)

    def step(self, model: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        if not self._cell.is_quantised:
            return Prepared("load", lambda: self._prepare_compilation(self._core.read_model(model)))
        self._source = model
        return Prepared("load", lambda: self._prepare_quantised(self._core.read_model(model)))

    def calibrate(self, input_sets: Sequence[tuple[Any, ...]]) -> None:
        self._calibration = input_sets

    def make_unquantised_step(self) -> Step:
        return self._compile_graph(self._core.read_model(self._source))

    def _prepare_quantised(self, graph: Any) -> Prepared[Step]:
        # Imported only here: no other mode needs this package.
        from workers.frameworks import openvino_int8

        return Prepared("compile", lambda: self._compile_graph(openvino_int8.quantise_graph(graph, self._calibration)))

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return Prepared("load", lambda: self._prepare_compilation(self._core.read_model(unpack_archive(path))))

    def _prepare_compilation(self, graph: Any) -> Prepared[Step]:
        return Prepared("compile", lambda: self._compile_graph(graph))

    def _compile_graph(self, graph: Any) -> Step:
        self._graph = graph
        self._compiled = self._core.compile_model(graph, "CPU", {**self._requested_properties, **self.more})
        self.request = self._compiled.create_infer_request()
        return self._make_step(self.request)

    def make_clients(self, count: int) -> Sequence[Step]:
        """Return steps with a request each, on as many streams: one stream answers one request after another."""
        properties = {**self._requested_properties, **self.more, "NUM_STREAMS": str(count)}
        if "INFERENCE_NUM_THREADS" in properties:
            properties["INFERENCE_NUM_THREADS"] = str(count * self._cell.threads)
        compiled = self._core.compile_model(self._graph, "CPU", properties)
        return [self._make_step(compiled.create_infer_request()) for _ in range(count)]

    def _make_step(self, request: Any) -> Step:
        outputs = range(len(self._compiled.outputs))

        def step(*inputs: Any) -> tuple[Any, ...]:
            for index, tensor in enumerate(inputs):
                request.set_input_tensor(index, tensor)
            # Without sharing, every output would be copied to a NumPy array that nobody reads.
            request.infer(share_outputs=True)
            return tuple([request.get_output_tensor(index) for index in outputs])

        return step

    def read_settings(self) -> Sequence[Setting]:
        if self._compiled is None:
            return ()
        names = (
            "INFERENCE_NUM_THREADS",
            "NUM_STREAMS",
            "PERFORMANCE_HINT",
            "INFERENCE_PRECISION_HINT",
            "CPU_DENORMALS_OPTIMIZATION",
            "ENABLE_CPU_PINNING",
            "EXECUTION_DEVICES",
        )
        got = {name: format_property(self._compiled.get_property(name)) for name in names}
        return pair_settings(self._requested_properties, got)

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: `infer` returns when everything has been computed."""

    def compilations(self) -> int | None:
        """Return None: a model is compiled once, for every shape that its graph allows."""
        return None

    def copy_outputs(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(openvino.Tensor(output.data.copy()) for output in outputs)

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, openvino.Tensor)
        if not self._dtypes:  # a user's file has types of its own
            check_precision([output.data.dtype for output in outputs], self._cell)
        return [widen_values(output.data) for output in outputs]


def unpack_archive(path: Path) -> Path:
    """Unpack an archive of OpenVINO's two files and return the graph; its weights lie beside it."""
    folder = tempfile.mkdtemp()
    with tarfile.open(path) as packed:
        # The filter refuses members that would be written outside of the folder.
        packed.extractall(folder, filter="data")
    return Path(folder, "model.xml")


def format_property(value: Any) -> str:
    """Format a property as it is requested: `YES` for True, `f32` for a type, names for a list."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, openvino.Type):
        return value.to_string()
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(getattr(value, "name", value))
