"""ONNX Runtime's profiler, which has to be asked for before there is a session."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.profilers import CALLS, WARM, Counts


def before(framework: Any) -> None:
    """Have the session profile itself, warm-up included."""
    framework.options.enable_profiling = True
    framework.options.profile_file_prefix = str(Path(tempfile.mkdtemp(), "session"))


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Kernels are nodes of the optimised graph that ran."""
    calls()
    events = json.loads(Path(framework.session.end_profiling()).read_text())
    path.write_text(json.dumps({"traceEvents": events}))
    kernels = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    return {"kernels": len(kernels) / (WARM + CALLS)}
