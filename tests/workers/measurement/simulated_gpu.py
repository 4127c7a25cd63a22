"""A framework for workers in tests: NumPy, with a pool of memory on a simulated GPU."""

import os
import sys

from workers.frameworks import numpy
from workers.interfaces import Allocated

MIB = 1 << 20
WITHOUT_PACKAGE = "TEST_WITHOUT_NVIDIA_ML_PY"

if WITHOUT_PACKAGE in os.environ:
    sys.modules["pynvml"] = None  # type: ignore[assignment]


class Pool:
    """Memory of which each call takes some, and gives it back."""

    def __init__(self, *, resettable: bool = True) -> None:
        self.now, self.peak, self.resettable, self.calls = 3 * MIB, 50 * MIB, resettable, 0

    def device_memory(self) -> Allocated | None:
        return Allocated(self.now, self.peak, 64 * MIB, since_start=not self.resettable)

    def reset_device_peak(self) -> None:
        if self.resettable:
            self.peak = self.now

    def call(self, number: int) -> None:
        self.calls += 1
        self.peak = max(self.peak, self.now + 4 * MIB)


class Framework(Pool, numpy.Framework):
    """NumPy with such a pool."""

    def __init__(self, cell: object) -> None:
        Pool.__init__(self)
        numpy.Framework.__init__(self, cell)  # type: ignore[arg-type]
