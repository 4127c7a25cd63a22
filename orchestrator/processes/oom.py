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

    `group` is the job's cgroup, if it has one.
    """

    files: KernelFiles = field(default_factory=KernelFiles)
    group: str | None = None
    _group: int = field(init=False)
    _machine: int = field(init=False)
    _held: int = 0
    _available: int = 0

    def __post_init__(self) -> None:
        self._group, self._machine = self._read_counts()

    def sample_memory(self, pid: int) -> None:
        """Note the memory of the process and the memory available on the machine."""
        # After its end a process has no VmRSS: keep the last value.
        self._held = parse_bytes(self.files.read_table(f"proc/{pid}/status").get("VmRSS")) or self._held
        self._available = parse_bytes(self.files.read_table("proc/meminfo").get("MemAvailable")) or 0

    def find_cause(self) -> OomCause:
        """Return how a SIGKILL of unknown origin relates to memory.

        Sure: the job's cgroup counts one more kill, or this program's if the job has none. Probable: the machine counts
        one more, and the process was large.
        """
        group, machine = self._read_counts()
        if group > self._group:
            return "sure"
        if machine > self._machine:
            return "probable" if self._held and self._held >= MIN_HELD_SHARE * self._available else "killed meanwhile"
        return "no"

    def _read_counts(self) -> tuple[int, int]:
        own = [self.group] if self.group else find_cgroups(self.files, "memory")[1][-1:]
        texts = [f"{folder}/{name}" for folder in own for name in ("memory.events", "memory.oom_control")]
        group = sum(parse_natural(self.files.read_table(text, " ").get("oom_kill")) or 0 for text in texts)
        return group, parse_natural(self.files.read_table("proc/vmstat", " ").get("oom_kill")) or 0
