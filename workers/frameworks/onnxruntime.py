"""ONNX Runtime on the CPU: a session on a model that another framework exported."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoImplementation

from schemas.event import Setting
from schemas.job import Cell
from schemas.models import ModelSource
from workers.arrays import Array, cast_all, widen_values
from workers.errors import Unsupported
from workers.frameworks import check_output_types, classify_denormals, pair_settings
from workers.frameworks import numpy as host
from workers.interfaces import Prepared, Shape, Step
from workers.precision import check_precision

# Off in parity: idle threads that spin would keep cores busy between calls.
SPINNING = "session.intra_op.allow_spinning"
DENORMALS = "session.set_denormal_as_zero"


class Framework:
    """ONNX Runtime, whose arrays on the CPU are NumPy arrays: `run` takes and returns them unconverted."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._parity = cell.track == "parity"
        self.options = onnxruntime.SessionOptions()
        # NumPy measures what the machine can do.
        self.arithmetic = host.make_arithmetic(cell)
        self._dtypes: Sequence[str] = ()
        self.session: Any = None
        self._source = Path()
        self._calibration: Sequence[tuple[Any, ...]] = ()
        self._operators: dict[str, str] = {}

    def apply_settings(self) -> None:
        """Set the options of the coming session."""
        if self._parity:
            self.options.intra_op_num_threads = self._cell.threads
            self.options.inter_op_num_threads = 1
            self.options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            self.options.add_session_config_entry(SPINNING, "0")
            # It takes effect on the calling thread only for a process's first session, and a job opens one.
            self.options.add_session_config_entry(DENORMALS, "1")

    def build_info(self) -> str:
        return onnxruntime.get_build_info()

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(cast_all(values, self._dtypes, self._cell.dtype))

    def build(self, implementation: Path, weights: Mapping[str, Array]) -> Any:
        """Return the path of the file, which holds the weights."""
        return implementation

    def open_file(self, source: ModelSource, dtypes: Sequence[str]) -> Path:
        self._dtypes = dtypes
        return Path(source.file)

    def step(self, model: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        if not self._cell.is_quantised:
            return Prepared("load", lambda: self._open_session(model))
        self._source = model
        return Prepared("compile", lambda: self._prepare_quantised(model))

    def calibrate(self, input_sets: Sequence[tuple[Any, ...]]) -> None:
        self._calibration = input_sets

    def make_unquantised_step(self) -> Step:
        return self._open_session(self._source)

    def _prepare_quantised(self, model: Path) -> Prepared[Step]:
        # Imported only here: it needs the package onnx, and takes a second.
        from workers.frameworks import onnxruntime_int8

        # Calibration opens sessions with options of its own, and denormals are set by a process's first one.
        self._open_session(model)
        path = onnxruntime_int8.quantise_file(model, self._cell.mode, self._calibration)
        self._operators = onnxruntime_int8.count_operators(path)
        return Prepared("load", lambda: self._open_session(path))

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return self.step(path, example, shapes)

    def _open_session(self, path: Path) -> Step:
        try:
            self.session = session = onnxruntime.InferenceSession(path, self.options, ["CPUExecutionProvider"])
        except NoImplementation as error:
            operation = str(error).rpartition(" : ")[2]
            raise Unsupported(f"ONNX Runtime cannot run this graph in {self._cell.dtype}: {operation}") from error
        names, run = [each.name for each in session.get_inputs()], session.run
        return lambda *inputs: tuple(run(None, dict(zip(names, inputs, strict=True))))

    def read_settings(self) -> Sequence[Setting]:
        """Read settings from the session, and denormals from an operation on this thread, which the session has set."""
        if self.session is None:
            return ()
        options, asked = self.session.get_session_options(), {"provider": "CPUExecutionProvider"}
        if self._parity:
            asked |= {"intra-op threads": str(self._cell.threads), "inter-op threads": "1", "spinning": "0"}
            asked |= {"graph optimisation": "ORT_ENABLE_ALL", "denormals": "flushed"}
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        got = {
            "provider": ",".join(self.session.get_providers()),
            "intra-op threads": str(options.intra_op_num_threads),
            "inter-op threads": str(options.inter_op_num_threads),
            "graph optimisation": options.graph_optimization_level.name,
            "spinning": read_config_entry(options, SPINNING),
            "denormals": classify_denormals(float(tiny[0])),
            **self._operators,
        }
        return pair_settings(asked, got)

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: `run` returns when everything has been computed."""

    def compilations(self) -> int | None:
        """Return None: a session is created once, for every shape that its graph allows."""
        return None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, np.ndarray)
        if not self._dtypes:  # a user's file has types of its own
            check_precision([output.dtype for output in outputs], self._cell)
        return [widen_values(output) for output in outputs]


def read_config_entry(options: Any, name: str) -> str:
    """Read an entry of a session's configuration; the getter raises if the entry has not been set."""
    try:
        return options.get_session_config_entry(name)
    except RuntimeError:
        return "default"
