"""OpenVINO's own times of each node, which come without a beginning: they are laid end to end, in their order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.profilers import Counts, chrome

DONE = "EXECUTED"


def before(framework: Any) -> None:
    """Have the compiled model time its nodes."""
    framework.more = {"PERF_COUNT": "YES"}


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Kernels are nodes that ran in the last call; the others were folded into these."""
    calls()
    nodes = framework.request.profiling_info
    ran = [node for node in nodes if str(node.status).endswith(DONE)]
    slices, clock_us = list[chrome.Slice](), 0.0
    for node in ran:
        took_us = node.real_time.total_seconds() * 1e6
        slices.append(chrome.Slice(f"{node.node_type} {node.node_name} ({node.exec_type})", "call", clock_us, took_us))
        clock_us += took_us
    chrome.write(path, slices)
    return {"kernels": len(ran), "nodes": len(nodes)}
