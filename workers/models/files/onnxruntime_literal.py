"""ONNX Runtime without optimisations: a graph runs as it is written, node by node."""

from pathlib import Path
from typing import Any

import onnxruntime

from workers.errors import summarise_error


def open_session(model: Path | bytes) -> Any:
    """Open a session that runs a graph node by node, and return its call."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return lambda *inputs: session.run(None, dict(zip(names, inputs, strict=True)))


def summarise_runtime_error(error: Exception) -> str:
    """Return what ONNX Runtime says, without its prefix."""
    said = summarise_error(error)
    return said.rpartition("[ONNXRuntimeError] : ")[2]
