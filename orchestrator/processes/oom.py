"""Detection of out-of-memory kills by the kernel, and of how certain they are."""

from dataclasses import dataclass, field
from typing import Literal

from orchestrator.machine.cgroups import find_cgroups
from orchestrator.machine.kernel_files import KernelFiles, parse_bytes, parse_natural

OomCause = Literal["no", "killed meanwhile", "probable", "sure"]
# A process was large if at the last check it held at least this share of the available memory.
MIN_HELD_SHARE = 0.5


@dataclass
class OomDetector:
    """The kernel's counts of out-of-memory kills since the start of a job.

    `cgroup` is the job's cgroup, if it has one.
    """

    files: KernelFiles = field(default_factory=KernelFiles)
    cgroup: str | None = None
    _cgroup_kills: int = field(init=False)
    _machine_kills: int = field(init=False)
    _held_bytes: int = 0
    _available_bytes: int = 0

    def __post_init__(self) -> None:
        self._cgroup_kills, self._machine_kills = self._read_counts()

    def sample_memory(self, pid: int) -> None:
        """Note the memory of the process and the memory available on the machine."""
        # After its end a process has no VmRSS: keep the last value.
        self._held_bytes = parse_bytes(self.files.read_table(f"proc/{pid}/status").get("VmRSS")) or self._held_bytes
        self._available_bytes = parse_bytes(self.files.read_table("proc/meminfo").get("MemAvailable")) or 0

    def find_cause(self) -> OomCause:
        """Return how a SIGKILL of unknown origin relates to memory.

        Sure: the job's cgroup counts one more kill, or this program's if the job has none. Probable: the machine counts
        one more, and the process was large.
        """
        cgroup_kills, machine_kills = self._read_counts()
        if cgroup_kills > self._cgroup_kills:
            return "sure"
        # The machine's counter includes other programs, so it needs the job's size as further evidence.
        if machine_kills > self._machine_kills:
            was_large = self._held_bytes and self._held_bytes >= MIN_HELD_SHARE * self._available_bytes
            return "probable" if was_large else "killed meanwhile"
        return "no"

    def _read_counts(self) -> tuple[int, int]:
        own = [self.cgroup] if self.cgroup else find_cgroups(self.files, "memory")[1][-1:]
        paths = [f"{folder}/{name}" for folder in own for name in ("memory.events", "memory.oom_control")]
        # A cgroup has one of the two files, depending on its version; the missing one adds nothing.
        cgroup_kills = sum(parse_natural(self.files.read_table(path, " ").get("oom_kill")) or 0 for path in paths)
        return cgroup_kills, parse_natural(self.files.read_table("proc/vmstat", " ").get("oom_kill")) or 0
