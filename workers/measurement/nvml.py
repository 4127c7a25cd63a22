"""Counters of a GPU from NVIDIA's management library (NVML). Without a driver there are none.

Environments for CUDA have the package nvidia-ml-py, which calls the library. Only cells on a GPU import it.
"""

import importlib
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from schemas.job import Device

MISSING_PACKAGE = (
    "nvidia-ml-py is not installed in this environment, so the energy of the GPU and the memory that its driver counts "
    "are unknown: pip install nvidia-ml-py"
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of those that this process may use, and the package that reads it."""

    package: ModuleType
    handle: Any

    def read_name(self) -> str:
        """Return the name of the GPU."""
        return self._query_driver(self.package.nvmlDeviceGetName) or ""

    def read_process_bytes(self, pids: Collection[int]) -> int | None:
        """Return the GPU memory of these processes, with contexts and pools; None if the driver does not count it."""
        # By its number: the function without one raises an error of another type where the driver is too old for it.
        found = self._query_driver(self.package.nvmlDeviceGetComputeRunningProcesses_v3) or []
        # In some containers, the driver lists a process without its memory.
        own: list[int | None] = [each.usedGpuMemory for each in found if each.pid in pids]
        counted = [size for size in own if size is not None]
        return sum(counted) if own and len(counted) == len(own) else None

    def read_energy_j(self) -> float | None:
        """Return the energy that the whole GPU has used since the driver was loaded; None if it is not counted."""
        spent_mj: int | None = self._query_driver(self.package.nvmlDeviceGetTotalEnergyConsumption)
        return None if spent_mj is None else spent_mj / 1000

    def _query_driver(self, ask: Callable[[Any], T]) -> T | None:
        try:
            return ask(self.handle)
        except self.package.NVMLError:
            return None


def import_package() -> ModuleType | None:
    """Import the package; return None if it is not installed."""
    try:
        return importlib.import_module("pynvml")
    except ModuleNotFoundError:
        return None


def list_notes(device: Device) -> list[str]:
    """List the reasons, which a user can mend, why a cell on this device lacks figures."""
    return [MISSING_PACKAGE] if device == "cuda" and import_package() is None else []


def open_gpu() -> Gpu | None:
    """Open the GPU that this process computes on: the first in CUDA_VISIBLE_DEVICES.

    Return None if there is no package, no driver, no such GPU, or none that may be used.
    """
    if (package := import_package()) is None:
        return None
    # NVML numbers all GPUs of the machine and ignores this variable, so it is applied here.
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    try:
        package.nvmlInit()
        if visible.isdecimal():
            return Gpu(package, package.nvmlDeviceGetHandleByIndex(int(visible)))
        if visible.startswith(("GPU-", "MIG-")):
            return Gpu(package, package.nvmlDeviceGetHandleByUUID(visible))
    except package.NVMLError:
        pass
    return None
