"""The machine that a run was measured on, as far as a time depends on it."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import psutil

from schemas.record import Host

RECORDED = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_CPP_MIN_LOG_LEVEL",
    "LD_PRELOAD",
    "MALLOC_ARENA_MAX",
    "KMP_AFFINITY",
    "XLA_FLAGS",
    "TF_XLA_FLAGS",
)
"""Environment variables that may change a time. Never all of them: others hold secrets."""


def fingerprint(variables: Mapping[str, str] = os.environ) -> Host:
    """Describe this machine."""
    return Host(
        cpu=cpu_model(),
        cores=len(cores()),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        variables={name: variables[name] for name in RECORDED if name in variables},
    )


def cores() -> tuple[int, ...]:
    """The numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(psutil.cpu_count() or 1))


def cpu_model(source: Path = Path("/proc/cpuinfo")) -> str:
    """What the CPU calls itself."""
    try:
        for line in source.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def step_aside(theirs: set[int]) -> None:
    """Keep this process off the workers' cores, where that leaves it any."""
    ours = set(cores()) - theirs
    if ours and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, ours)
