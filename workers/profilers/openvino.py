"""Profiler for OpenVINO, which reports node times without starts. The trace lays them end to end, in order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.profilers import Counts, chrome

EXECUTED_STATUS = "EXECUTED"


def before(framework: Any) -> None:
    """Enable node times in the compiled model."""
    framework.more = {"PERF_COUNT": "YES"}


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Count kernels: nodes that ran in the last call. The other nodes were fused into them."""
    calls()
    nodes = framework.request.profiling_info
    ran = [node for node in nodes if str(node.status).endswith(EXECUTED_STATUS)]
    slices, clock_us = list[chrome.Slice](), 0.0
    for node in ran:
        took_us = node.real_time.total_seconds() * 1e6
        slices.append(chrome.Slice(f"{node.node_type} {node.node_name} ({node.exec_type})", "call", clock_us, took_us))
        clock_us += took_us
    chrome.write_trace(path, slices)
    return {"kernels": len(ran), "nodes": len(nodes)}
