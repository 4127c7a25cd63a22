"""The highest rates of arithmetic and of memory that this machine has reached, which no honest time can exceed.

Each job measures the rates of its own process. Under load a process may reach a small part of what the machine can do,
so a job is judged by the best rates of all jobs so far, with those of earlier sweeps on the same machine.
"""

import contextlib
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Self

from orchestrator.errors import UsageError
from orchestrator.files.atomic import read_model, write_model
from schemas.base import Model
from schemas.event import Ceiling, Report
from schemas.job import Cell, Device, Dtype, Threads
from schemas.record import Host, Result

# Fields of a host that decide what its cores can do at most.
HARDWARE_FIELDS = {
    "cpu",
    "microcode",
    "cpu_flags",
    "sockets",
    "logical_cores",
    "physical_cores",
    "smt",
    "l2_bytes",
    "l3_bytes",
    "hypervisor",
    "gpus",
}
FILE_NAME = "peak_rates.json"


class Conditions(Model):
    """The conditions under which rates are comparable."""

    machine: str = ""
    device: Device
    dtype: Dtype
    threads: Threads


class KeptRate(Model):
    """The highest rates under some conditions."""

    conditions: Conditions
    ceiling: Ceiling


class KeptRates(Model):
    """The rates in the user's cache."""

    kept: tuple[KeptRate, ...] = ()


@dataclass(frozen=True, slots=True)
class PeakRates:
    """The highest rates so far, by conditions. `path` keeps them between sweeps; None: nowhere."""

    path: Path | None = None
    machine: str = ""
    rates: dict[Conditions, Ceiling] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path, host: Host) -> Self:
        """Load the rates that earlier sweeps have reached; none if they cannot be read."""
        return cls(folder / FILE_NAME, hash_hardware(host), read_kept_rates(folder / FILE_NAME))

    def update_rates(self, cell: Cell, result: Result | None) -> Ceiling | None:
        """Return the highest rates under a cell's conditions, those of this result included.

        No process measures a rate of 8-bit integers, so that of floating-point numbers bounds no mode in 8 bits.
        """
        if cell.is_quantised:
            return None
        same = Conditions(machine=self.machine, device=cell.device, dtype=cell.dtype, threads=cell.threads)
        if isinstance(result, Report):
            self.rates[same] = max_ceiling(self.rates.get(same), result.ceiling)
        return self.rates.get(same)

    def save(self) -> None:
        """Keep these rates for later sweeps, together with those that other sweeps have kept meanwhile."""
        if self.path is None:
            return
        every = read_kept_rates(self.path)
        for same, ceiling in self.rates.items():
            every[same] = max_ceiling(every.get(same), ceiling)
        kept = tuple(KeptRate(conditions=same, ceiling=ceiling) for same, ceiling in every.items())
        # Without this file, the next sweep measures its rates again.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_model(self.path, KeptRates(kept=kept))


def read_kept_rates(path: Path) -> dict[Conditions, Ceiling]:
    """Read the kept rates; none if the file does not exist or is damaged."""
    with contextlib.suppress(UsageError, OSError):
        return {each.conditions: each.ceiling for each in read_model(path, KeptRates).kept}
    return {}


def hash_hardware(host: Host) -> str:
    """Return sixteen hexadecimal digits of the SHA-256 of a machine's hardware."""
    return sha256(host.model_dump_json(include=HARDWARE_FIELDS).encode()).hexdigest()[:16]


def max_ceiling(one: Ceiling | None, other: Ceiling) -> Ceiling:
    """Return the higher of two ceilings for each rate."""
    if one is None:
        return other
    return Ceiling(
        flops_per_s=max(one.flops_per_s, other.flops_per_s), bytes_per_s=max(one.bytes_per_s, other.bytes_per_s)
    )
