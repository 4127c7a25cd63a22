"""torch.compile: Dynamo captures the graph and Inductor compiles it, both in the first call."""

import os
import shutil
import sys
import sysconfig
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
    # Its import takes half a second, and counts nothing before torch.compile has made it.
    dynamo = sys.modules.get("torch._dynamo.utils")
    return 0 if dynamo is None else int(dynamo.counters["stats"]["unique_graphs"])


MODES: Modes = {
    "compile": (("compile", compile_static),),
    "compile-dynamic": (("compile", compile_dynamic),),
    "compile-max-autotune": (("compile", compile_max_autotune),),
    "compile-reduce-overhead": (("compile", compile_reduce_overhead),),
}
