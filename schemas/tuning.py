"""Tunings: settings of a cell's process or model that belong to no mode, such as its allocator."""

from collections.abc import Mapping
from typing import Final, Literal

from schemas.base import Model

Tuning = Literal["none", "channels-first", "channels-last", "huge-pages", "jemalloc", "no-onednn", "tcmalloc"]

LIBRARY_VARIABLE: Final = "LD_PRELOAD"


class TuningEntry(Model):
    """The needs of one tuning.

    `variables` are set before a worker starts. `library` is the shared library that the loader must find, and `package`
    Debian's package that has it. `frameworks` can be tuned so; empty: all.
    """

    frameworks: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    library: str = ""
    package: str = ""


def preload_library(library: str, package: str) -> TuningEntry:
    """Return the entry for an allocator that takes the place of the C library's."""
    return TuningEntry(variables={LIBRARY_VARIABLE: library}, library=library, package=package)


TUNINGS: Final[Mapping[Tuning, TuningEntry]] = {
    "none": TuningEntry(),
    "channels-first": TuningEntry(frameworks=("torch", "tensorflow", "jax")),
    "channels-last": TuningEntry(frameworks=("torch",)),
    # The first is the C library's variable, the second that of PyTorch's own allocator.
    "huge-pages": TuningEntry(variables={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "THP_MEM_ALLOC_ENABLE": "1"}),
    "jemalloc": preload_library("libjemalloc.so.2", "libjemalloc2"),
    # PyTorch has no variable for it; its worker sets a flag.
    "no-onednn": TuningEntry(frameworks=("torch", "tensorflow"), variables={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "tcmalloc": preload_library("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
}
