"""torch.compile: Dynamo captures the graph and Inductor compiles it, both in the first call."""

import os
import shutil
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from workers.errors import Unsupported
from workers.frameworks.torch_mode import Call, Modes, Subject


def compile_static(subject: Subject) -> Call:
    return compile_call(subject, dynamic=False)


def compile_dynamic(subject: Subject) -> Call:
    return compile_call(subject, dynamic=True)


def compile_max_autotune(subject: Subject) -> Call:
    return compile_call(subject, dynamic=False, mode="max-autotune")


def compile_reduce_overhead(subject: Subject) -> Call:
    if subject.example[0].device.type != "cuda":
        raise Unsupported(
            "reduce-overhead replays CUDA graphs, which only a GPU has; on the CPU, torch:compile does the same"
        )
    return compile_call(subject, dynamic=False, mode="reduce-overhead")


def compile_regions(subject: Subject) -> Call:
    """Compile each block that the model repeats, and leave the rest as written.

    Raises:
        Unsupported: it repeats none.
    """
    require_compiler()
    regions = list(find_regions(subject.source))
    if not regions:
        raise Unsupported("no list of the model has two blocks of one class, so no region repeats; see torch:compile")
    from torch._dynamo import config

    # Dynamo counts the graphs of all blocks together, and runs a block as written when there are too many.
    config.recompile_limit += len(regions)
    for region in regions:
        region.compile(dynamic=False)
    return subject.flatten(subject.call)


def find_regions(model: Any) -> Iterator[Any]:
    """Find each member of a list of modules whose class is there at least twice, but none within another.

    A single layer of PyTorch, such as nn.Linear, is no block.
    """
    if not isinstance(model, torch.nn.Module):
        return
    is_list = isinstance(model, torch.nn.ModuleList | torch.nn.Sequential)
    kinds = Counter(map(type, model.children())) if is_list else Counter[type]()
    for child in model.children():
        if kinds[type(child)] > 1 and is_block(child):
            yield child
        else:
            yield from find_regions(child)


def is_block(module: Any) -> bool:
    """Return whether a module has parts, or is of a class that is not PyTorch's."""
    return any(True for _ in module.children()) or not type(module).__module__.startswith("torch.nn.")


def compile_call(subject: Subject, **options: Any) -> Call:
    require_compiler()
    return subject.flatten(torch.compile(subject.call, **options))


def require_compiler() -> None:
    """Check that Inductor finds its compiler and headers.

    Raises:
        Unsupported: one is missing; the message says what to install.
    """
    # Inductor compiles in the first call, so without this check a job would fail only there.
    if reason := find_missing_tool(os.environ.get("CXX", "g++"), Path(sysconfig.get_path("include"))):
        raise Unsupported(reason)


def find_missing_tool(compiler: str, include: Path) -> str:
    """Return what Inductor lacks, given its compiler and the folder of Python's headers; empty if nothing."""
    if shutil.which(compiler) is None:
        return f"Inductor needs a C++ compiler, and {compiler} is not on the PATH: install g++, or name another in CXX"
    if not (include / "Python.h").is_file():
        return f"Inductor needs Python's header files, and {include} has none: install them (on Debian, python3-dev)"
    return ""


def count_graphs() -> int:
    """Count the graphs that Dynamo has captured in this process, each of which was then compiled."""
    return read_counter("stats", "unique_graphs")


def read_counter(group: str, name: str) -> int:
    """Read a counter of torch.compile; 0 before it is imported."""
    # Its import takes half a second, and counts nothing before torch.compile has made it.
    dynamo = sys.modules.get("torch._dynamo.utils")
    return 0 if dynamo is None else int(dynamo.counters[group][name])


def save_caches(call: Callable[[], object]) -> bytes:
    """Return Inductor's caches of this process after a first call, which compiles.

    Raises:
        Unsupported: Inductor has cached none of the graphs, or not all.
    """
    call()
    if left_out := count_uncached():
        raise Unsupported(f"Inductor cannot cache {left_out} of the {count_graphs()} graphs")
    saved = torch.compiler.save_cache_artifacts()
    if saved is None:
        raise Unsupported("Inductor has cached no graph")
    return saved[0]


def load_caches(path: Path) -> None:
    """Load saved caches into this process's folder, which the first call then finds.

    Raises:
        RuntimeError: they cannot be read.
    """
    # PyTorch itself only logs what it cannot read, and would compile everything again.
    if torch.compiler.load_cache_artifacts(path.read_bytes()) is None:
        raise RuntimeError(f"PyTorch cannot read {path.name}, although it has saved it")


def count_uncached() -> int:
    """Count the graphs that Inductor did not cache, because it cannot, in this process."""
    return read_counter("inductor", "fxgraph_cache_bypass")


def count_missed() -> int:
    """Count the graphs that Inductor did not find in its caches in this process."""
    return count_uncached() + read_counter("inductor", "fxgraph_cache_miss")


MODES: Modes = {
    "compile": (("compile", compile_static),),
    "compile-dynamic": (("compile", compile_dynamic),),
    "compile-max-autotune": (("compile", compile_max_autotune),),
    "compile-reduce-overhead": (("compile", compile_reduce_overhead),),
    "compile-regional": (("compile", compile_regions),),
}
