"""The memory of a device, in two views that are never mixed: what the framework allocated, and what the driver sees.

A framework's pool keeps what it once had, so its reserve and the driver's figure do not shrink; its own high-water mark
is set back before the calls that are looked at, where it can be. On a CPU there is no such view, and no figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.event import DeviceMemory
from workers import memory, nvml

CALLS = 3


@dataclass(frozen=True, slots=True)
class Allocated:
    """What a framework says of its own allocations, in bytes: now, at most since the mark was set back, and reserved.

    None: it does not say. `since_start`: the mark cannot be set back, and is that of the whole process.
    """

    now: int
    peak: int
    reserved: int | None = None
    since_start: bool = False


def looked_at(framework: Any, call: Callable[[int], object], gpu: nvml.Nvml | None) -> DeviceMemory | None:
    """A few calls after all timing, by both views. None where the framework computes on no device."""
    view = getattr(framework, "device_memory", lambda: None)()
    if view is None:
        return None
    framework.reset_device_peak()
    for number in range(CALLS):
        call(number)
    after: Allocated = framework.device_memory()
    return DeviceMemory(
        device=gpu.name() if gpu else "",
        allocated=view.now,
        peak=after.peak,
        reserved=after.reserved,
        since_start=after.since_start,
        process=gpu.process_bytes(memory.family()) if gpu else None,
    )
