"""Counters of a GPU from NVIDIA's management library (NVML), by its C interface. Without a driver there are none.

https://docs.nvidia.com/deploy/nvml-api. The worker needs no package for it: the library comes with the driver.
"""

import ctypes
import os
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass

LIBRARY = "libnvidia-ml.so.1"
MAX_PROCESSES = 256

# The driver's answer for a process whose memory it does not count, as in some containers.
NOT_AVAILABLE = (1 << 64) - 1


class ProcessInfo(ctypes.Structure):
    """nvmlProcessInfo_t, version 2."""

    _fields_ = (("pid", c_uint), ("used_bytes", c_ulonglong), ("instance", c_uint), ("compute_instance", c_uint))


@dataclass(frozen=True, slots=True)
class Nvml:
    """The library, initialised, and one GPU of those that this process may use."""

    library: ctypes.CDLL
    device: c_void_p

    def read_name(self) -> str:
        """Return the name of the GPU."""
        text = ctypes.create_string_buffer(96)
        return text.value.decode() if self._call_function("nvmlDeviceGetName", text, c_uint(96)) else ""

    def read_process_bytes(self, pids: Sequence[int]) -> int | None:
        """Return the GPU memory of these processes, with contexts and pools; None if the driver does not count it."""
        count, found = c_uint(MAX_PROCESSES), (ProcessInfo * MAX_PROCESSES)()
        if not self._call_function("nvmlDeviceGetComputeRunningProcesses_v3", byref(count), found):
            return None
        own = [each.used_bytes for each in found[: count.value] if each.pid in pids]
        return sum(own) if own and NOT_AVAILABLE not in own else None

    def read_energy_j(self) -> float | None:
        """Return the energy that the whole GPU has used since the driver was loaded; None if it is not counted."""
        spent = c_ulonglong()
        return spent.value / 1000 if self._call_function("nvmlDeviceGetTotalEnergyConsumption", byref(spent)) else None

    def _call_function(self, name: str, *arguments: object) -> bool:
        function = getattr(self.library, name, None)
        return function is not None and function(self.device, *arguments) == 0


def open_gpu(library: str = LIBRARY, index: int = 0) -> Nvml | None:
    """Open the GPU that this process computes on: the first in CUDA_VISIBLE_DEVICES.

    Return None if there is no driver, no such GPU, or none that may be used.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", str(index)).split(",")[0]
    try:
        opened = ctypes.CDLL(library)
    except OSError:
        return None
    if opened.nvmlInit_v2() != 0:
        return None
    device = c_void_p()
    if visible.isdigit():
        by_index = opened.nvmlDeviceGetHandleByIndex_v2
        by_index.argtypes = (c_uint, POINTER(c_void_p))
        got = by_index(int(visible), byref(device))
    elif visible.startswith(("GPU-", "MIG-")):
        by_name = opened.nvmlDeviceGetHandleByUUID
        by_name.argtypes = (c_char_p, POINTER(c_void_p))
        got = by_name(visible.encode(), byref(device))
    else:
        return None
    return None if got else Nvml(opened, device)
