"""JAX's profiler, which writes a trace of its own; and what XLA has made of a jitted function."""

import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from workers.profilers import CALLS, Counts

EXECUTED = "::ExecuteHelperOnSingleDevice"

OPTIONS = jax.profiler.ProfileOptions()
OPTIONS.python_tracer_level = 0  # Python's own calls would be nine tenths of the trace


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Dispatches are calls of compiled programs: outside of jit, each operation is one."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=OPTIONS):
            calls()
        (file,) = Path(folder).rglob("*.trace.json.gz")
        trace = gzip.decompress(file.read_bytes())
    path.write_bytes(trace)
    names = [event.get("name", "") for event in json.loads(trace)["traceEvents"] if event.get("ph") == "X"]
    counts: Counts = {"dispatches": sum(name.endswith(EXECUTED) for name in names) / CALLS}
    if framework.program is not None:
        text = framework.program.as_text()
        counts |= {"instructions": text.count(" = "), "fused groups": text.count(" fusion(")}
    return counts
