"""Tunings: settings of a cell's process or model that belong to no mode, such as its allocator."""

from collections.abc import Mapping
from typing import Final, Literal

from schemas.base import Model

Tuning = Literal["none", "channels-last", "huge-pages", "jemalloc", "no-onednn", "tcmalloc"]

LIBRARY_VARIABLE: Final = "LD_PRELOAD"


class TuningEntry(Model):
    """What one tuning is, and what it needs.

    `variables` are set before a worker starts. `library` is the shared library that the loader must find, and `package`
    Debian's package that has it. `frameworks` can be tuned so; empty: all.
    """

    summary: str
    frameworks: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    library: str = ""
    package: str = ""


def preload_library(summary: str, library: str, package: str) -> TuningEntry:
    """Return the entry for an allocator that takes the place of the C library's."""
    return TuningEntry(summary=summary, variables={LIBRARY_VARIABLE: library}, library=library, package=package)


TUNINGS: Final[Mapping[Tuning, TuningEntry]] = {
    "none": TuningEntry(summary="as the mode is without any"),
    "channels-last": TuningEntry(
        summary="weights and inputs of four dimensions are kept with their channels last", frameworks=("torch",)
    ),
    "huge-pages": TuningEntry(
        summary="the C library asks for huge pages for what it allocates, as PyTorch does for its tensors",
        variables={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "THP_MEM_ALLOC_ENABLE": "1"},
    ),
    "jemalloc": preload_library("jemalloc allocates memory", "libjemalloc.so.2", "libjemalloc2"),
    "no-onednn": TuningEntry(
        summary="oneDNN computes nothing", frameworks=("torch", "tensorflow"), variables={"TF_ENABLE_ONEDNN_OPTS": "0"}
    ),
    "tcmalloc": preload_library("tcmalloc allocates memory", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
}
