"""ONNX Runtime on the CPU: a session on a model that another framework exported."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array, cast
from workers.frameworks import Prepared, Shape, Step, flushed, own

SPINNING = "session.intra_op.allow_spinning"
DENORMALS = "session.set_denormal_as_zero"


class Framework:
    """ONNX Runtime, whose arrays on the CPU are NumPy's: `run` takes them as they are, and returns such."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._parity = cell.track == "parity"
        self._options = onnxruntime.SessionOptions()

    def configure(self) -> Sequence[Setting]:
        """Set the options of the session to come. There is nothing to be read back before it."""
        if self._parity:
            self._options.intra_op_num_threads = self._cell.threads
            self._options.inter_op_num_threads = 1
            self._options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            self._options.add_session_config_entry(SPINNING, "0")
            self._options.add_session_config_entry(DENORMALS, "1")
        return ()

    def build_info(self) -> str:
        return onnxruntime.get_build_info()

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(cast(value, self._cell.dtype) for value in values)

    def build(self, implementation: Path, weights: Mapping[str, Array]) -> Any:
        """The weights are in the file."""
        return implementation

    def step(self, model: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared:
        return Prepared("load", lambda: self._session_on(model))

    def _session_on(self, path: Path) -> Step:
        self._session = session = onnxruntime.InferenceSession(path, self._options, ["CPUExecutionProvider"])
        names, run = [each.name for each in session.get_inputs()], session.run
        return lambda *inputs: tuple(run(None, dict(zip(names, inputs, strict=True))))

    def read_back(self) -> Sequence[Setting]:
        """From the session itself; denormals from an operation on this thread, which the session has set."""
        options, parity = self._session.get_session_options(), self._parity
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        return (
            Setting(name="provider", asked="CPUExecutionProvider", got=",".join(self._session.get_providers())),
            Setting(
                name="intra-op threads",
                asked=str(self._cell.threads) if parity else None,
                got=str(options.intra_op_num_threads),
            ),
            Setting(name="inter-op threads", asked="1" if parity else None, got=str(options.inter_op_num_threads)),
            Setting(
                name="graph optimisation",
                asked="ORT_ENABLE_ALL" if parity else None,
                got=options.graph_optimization_level.name,
            ),
            Setting(name="spinning", asked="0" if parity else None, got=entry(options, SPINNING)),
            Setting(name="denormals", asked="flushed" if parity else None, got=flushed(float(tiny[0]))),
        )

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Nothing is left to wait for: `run` returns when all has been computed."""

    def compilations(self) -> int | None:
        """A session is made once, for every shape that its graph allows."""
        return None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        own(outputs, np.ndarray)
        return [output.astype(np.float64) for output in outputs]


def entry(options: Any, name: str) -> str:
    """An entry of a session's configuration, which raises if nobody has set it."""
    try:
        return options.get_session_config_entry(name)
    except RuntimeError:
        return "default"
