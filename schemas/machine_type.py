"""The type of a machine: what two machines must share before their times may stand in one table.

The model name alone is not enough. Two virtual machines that both call themselves "AMD EPYC" with two cores may differ
in vector instructions, caches and hypervisor, and then rank the same modes differently.
"""

import hashlib
import json
import math

from schemas.base import Model, NonNegativeInt, PositiveInt
from schemas.record import Host

GIB = 1 << 30

# A kernel reserves a part of the memory, a little more or less in each version. Sizes are rounded up to one of four
# steps from one power of two to the next, so that 7.5 GiB is 8 and 23.5 is 24.
STEPS_PER_DOUBLING = 4


class MachineType(Model):
    """The properties that machines of one type share. None: the system does not report it."""

    cpu: str
    cpu_flags: tuple[str, ...] | None
    logical_cores: PositiveInt
    l1d_bytes: PositiveInt | None
    l2_bytes: PositiveInt | None
    l3_bytes: PositiveInt | None
    microcode: str | None
    hypervisor: str | None
    system: str
    kernel_major: NonNegativeInt | None
    memory_gib: float
    gpus: tuple[str, ...] | None

    @property
    def content_hash(self) -> str:
        """Return eight hexadecimal digits of the SHA-256 of all properties that are known."""
        known = self.model_dump(mode="json", exclude_none=True)
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def label(self) -> str:
        """Return the type in words, with its hash: two types may have the same words."""
        cores = f"{self.logical_cores} core{'s' if self.logical_cores > 1 else ''}"
        named = {"none": "bare metal", None: "", "unknown": "virtual"}.get(self.hypervisor, self.hypervisor or "")
        parts = (self.cpu, cores, f"{self.memory_gib:g} GiB", *(self.gpus or ()), named)
        return f"{', '.join(filter(None, parts))} (type {self.content_hash})"


def identify_type(host: Host) -> MachineType:
    """Return the type of a machine."""
    system, release, architecture = split_system(host.system)
    return MachineType(
        cpu=host.cpu,
        cpu_flags=host.cpu_flags,
        logical_cores=host.logical_cores or host.cores,
        l1d_bytes=host.l1d_bytes,
        l2_bytes=host.l2_bytes,
        l3_bytes=host.l3_bytes,
        microcode=host.microcode,
        hypervisor=host.hypervisor,
        system=f"{system} {architecture}".strip(),
        kernel_major=parse_major(release),
        memory_gib=round_memory_gib(host.memory_bytes),
        gpus=host.gpus,
    )


def split_system(text: str) -> tuple[str, str, str]:
    """Return the name, the release and the architecture of a system: `Linux`, `6.18.5` and `x86_64`."""
    name, _, rest = text.partition(" ")
    release, _, architecture = rest.rpartition(" ")
    return name, release, architecture


def parse_major(release: str) -> int | None:
    """Return the first number of a kernel's release; None without one."""
    first = release.partition(".")[0]
    return int(first) if first.isascii() and first.isdecimal() else None


def round_memory_gib(size_bytes: int) -> float:
    """Return a size in GiB, rounded up to a multiple of a quarter of the power of two below it."""
    step = 2.0 ** (size_bytes.bit_length() - 31) / STEPS_PER_DOUBLING
    return math.ceil(size_bytes / GIB / step) * step
