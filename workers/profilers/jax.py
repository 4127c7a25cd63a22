"""Profiler for JAX: JAX writes the trace, and XLA's program for a jitted function gives further counts."""

import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from workers.profilers import PROFILED_CALLS, Counts

# Trace events of this name run a compiled program.
EXECUTION_EVENT = "::ExecuteHelperOnSingleDevice"

OPTIONS = jax.profiler.ProfileOptions()
OPTIONS.python_tracer_level = 0  # Python calls would fill nine tenths of the trace


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Count dispatches, which are calls of compiled programs. Outside jit, each operation is one."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=OPTIONS):
            calls()
        (file,) = Path(folder).rglob("*.trace.json.gz")
        trace = gzip.decompress(file.read_bytes())
    path.write_bytes(trace)
    names = [event.get("name", "") for event in json.loads(trace)["traceEvents"] if event.get("ph") == "X"]
    counts: Counts = {"dispatches": sum(name.endswith(EXECUTION_EVENT) for name in names) / PROFILED_CALLS}
    if framework.program is not None:
        text = framework.program.as_text()
        counts |= {"instructions": text.count(" = "), "fused groups": text.count(" fusion(")}
    return counts
