"""Profiler for ONNX Runtime, which must be enabled before the session is created."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.profilers import PROFILED_CALLS, WARM_UP_CALLS, Counts


def before(framework: Any) -> None:
    """Enable profiling of the session, including its warm-up."""
    framework.options.enable_profiling = True
    framework.options.profile_file_prefix = str(Path(tempfile.mkdtemp(), "session"))


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Count kernels: nodes of the optimised graph that ran."""
    calls()
    events = json.loads(Path(framework.session.end_profiling()).read_text())
    path.write_text(json.dumps({"traceEvents": events}))
    kernels = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    # The session's profile also contains the warm-up.
    return {"kernels": len(kernels) / (WARM_UP_CALLS + PROFILED_CALLS)}
