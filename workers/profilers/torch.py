"""Profiler for PyTorch, with the counters of Dynamo, Inductor and TorchScript."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from workers.profilers import PROFILED_CALLS, Counts

OPERATION_PREFIX = "aten::"


def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
    """Count dispatches, which are ATen operations that no other one called, and the kernels that Inductor generated."""
    with torch.profiler.profile(activities=torch.profiler.supported_activities()) as seen:
        calls()
    seen.export_chrome_trace(str(path))
    events = [event for event in seen.events() if event.name.startswith(OPERATION_PREFIX)]
    outer = [event for event in events if not (event.cpu_parent and event.cpu_parent.name.startswith(OPERATION_PREFIX))]
    return {
        "dispatches": len(outer) / PROFILED_CALLS,
        "operations": len(events) / PROFILED_CALLS,
    } | read_compiler_counts()


def read_compiler_counts() -> Counts:
    """Return the counters of the compilers that this process has used."""
    counts: Counts = {}
    graph = torch.jit.last_executed_optimized_graph()
    if graph is not None:
        counts |= {"graph nodes": len(list(graph.nodes())), "fused groups": str(graph).count("prim::TensorExprGroup")}
    # Private counters: a new version of PyTorch may move them.
    from torch._dynamo.utils import counters

    if graphs := counters["stats"]["unique_graphs"]:
        from torch._inductor import metrics

        breaks = sum(counters["graph_break"].values())
        counts |= {"graphs": graphs, "graph breaks": breaks, "kernels": metrics.generated_kernel_count}
        counts |= {"nodes before fusion": metrics.ir_nodes_pre_fusion}
    return counts
