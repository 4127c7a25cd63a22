"""Memory of a GPU, in two views that are never mixed: the framework's allocations and the driver's count.

A framework's pool keeps what it once allocated, so its reserve and the driver's figure do not shrink. The framework's
high-water mark is reset before the observed calls, where it can be. On a CPU there is no such view, and no figure.
"""

from collections.abc import Callable
from typing import Any

from schemas.event import DeviceMemory
from workers.interfaces import SupportsDeviceMemory
from workers.measurement import memory, nvml

# Made after all timing, each on another set of inputs.
CALLS = 3


def measure_device_memory(framework: Any, call: Callable[[int], object], gpu: nvml.Gpu | None) -> DeviceMemory | None:
    """Make a few calls after all timing and read both views; return None if the framework uses no device."""
    if not isinstance(framework, SupportsDeviceMemory) or (view := framework.device_memory()) is None:
        return None
    # Compilation may have needed more than any call, and its peak would hide theirs.
    framework.reset_device_peak()
    for number in range(CALLS):
        call(number)
    if (after := framework.device_memory()) is None:
        return None
    return DeviceMemory(
        device=gpu.read_name() if gpu else "",
        allocated=view.now,
        peak=after.peak,
        reserved=after.reserved,
        since_start=after.since_start,
        process=gpu.read_process_bytes(memory.list_process_tree()) if gpu else None,
    )
