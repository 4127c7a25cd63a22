"""Detection of out-of-memory kills by the kernel, and of how certain they are."""

from dataclasses import dataclass, field
from typing import Literal

from orchestrator.host import groups
from orchestrator.system import Files, natural, size

Cause = Literal["no", "killed meanwhile", "probable", "sure"]
# A process was large if at the last check it held at least this share of the available memory.
NEAR = 0.5


@dataclass
class Hunger:
    """The kernel's counts of out-of-memory kills since the start of a job.

    `group` is the job's cgroup, if it has one.
    """

    files: Files = field(default_factory=Files)
    group: str | None = None
    _group: int = field(init=False)
    _machine: int = field(init=False)
    _held: int = 0
    _available: int = 0

    def __post_init__(self) -> None:
        self._group, self._machine = self._counts()

    def look(self, pid: int) -> None:
        """Note the memory of the process and the memory available on the machine."""
        # After its end a process has no VmRSS: keep the last value.
        self._held = size(self.files.table(f"proc/{pid}/status").get("VmRSS")) or self._held
        self._available = size(self.files.table("proc/meminfo").get("MemAvailable")) or 0

    def cause(self) -> Cause:
        """Return how a SIGKILL of unknown origin relates to memory.

        Sure: the job's cgroup counts one more kill, or this program's if the job has none. Probable: the machine counts
        one more, and the process was large.
        """
        group, machine = self._counts()
        if group > self._group:
            return "sure"
        if machine > self._machine:
            return "probable" if self._held and self._held >= NEAR * self._available else "killed meanwhile"
        return "no"

    def _counts(self) -> tuple[int, int]:
        own = [self.group] if self.group else groups(self.files, "memory")[1][-1:]
        texts = [f"{folder}/{name}" for folder in own for name in ("memory.events", "memory.oom_control")]
        group = sum(natural(self.files.table(text, " ").get("oom_kill")) or 0 for text in texts)
        return group, natural(self.files.table("proc/vmstat", " ").get("oom_kill")) or 0
