"""Control groups (cgroups) of jobs: where this process may make one, the kernel limits and counts a job as a whole.

Version 1 of the interface has a tree of cgroups for each controller, version 2 one tree for all. In version 2 a cgroup
that delegates controllers may hold no processes. So this program moves into a cgroup beside those of its jobs, if it is
alone in its cgroup, and afterwards back. It makes no cgroup outside its own, so the limits around it stay in force.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import psutil

from orchestrator.machine import cgroups
from orchestrator.machine.kernel_files import KernelFiles, parse_natural
from orchestrator.processes import watchdog
from schemas.limits import Limits

Version = Literal["v1", "v2"]
CONTROLLERS = ("memory", "pids")
# Users count processes, the kernel counts threads too: the kernel's limit for each process that a job may have.
TASKS_PER_PROCESS = 8

JOB_FOLDER = re.compile(rf"{watchdog.NAME_PREFIX}[0-9a-f]{{32}}-([0-9]{{1,10}})-[0-9]+")
JOB_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class CgroupInterface:
    """The file names of one version of the interface.

    `memory` maps the files that limit memory to their contents, the limit itself first. `together` makes the kernel
    kill a cgroup as a whole, where it can.
    """

    memory: Mapping[str, str]
    together: Mapping[str, str]
    peak: str
    kills: str


CGROUP_INTERFACES: Mapping[Version, CgroupInterface] = {
    "v1": CgroupInterface(
        memory={"memory.limit_in_bytes": "{}", "memory.memsw.limit_in_bytes": "{}"},
        together={},
        peak="memory.max_usage_in_bytes",
        kills="memory.oom_control",
    ),
    "v2": CgroupInterface(
        memory={"memory.max": "{}", "memory.swap.max": "0"},
        together={"memory.oom.group": "1"},
        peak="memory.peak",
        kills="memory.events",
    ),
}


@dataclass(frozen=True, slots=True)
class CgroupUsage:
    """The counts of a job's cgroup: peak bytes, processes killed because memory ran out, and refused starts.

    None: the kernel does not count it.
    """

    version: Version | None = None
    peak_bytes: int | None = None
    kills: int | None = None
    refusals: int | None = None


@dataclass
class JobCgroup:
    """One job's cgroup: its folder by controller, the same for all in version 2; empty if there is none."""

    files: KernelFiles
    version: Version | None = None
    folders: dict[str, str] = field(default_factory=dict)
    limits_memory: bool = False

    def apply_limits(self, limits: Limits) -> None:
        """Set the limits of the job as a whole."""
        self._write_file("pids", "pids.max", str(TASKS_PER_PROCESS * limits.processes))
        if self.version is None:
            return
        interface = CGROUP_INTERFACES[self.version]
        for name, text in interface.together.items():
            self._write_file("memory", name, text)
        if limits.memory is not None:
            # A kernel without swap accounting refuses the second file; the first alone decides if memory is limited.
            accepted = [
                self._write_file("memory", name, text.format(limits.memory)) for name, text in interface.memory.items()
            ]
            self.limits_memory = accepted[0]

    def add_process(self, pid: int) -> None:
        """Move a process that has just started here; its children follow."""
        for controller in list(self.folders):
            # An empty cgroup would report a peak of zero for a job that runs outside of it.
            if not self._write_file(controller, "cgroup.procs", str(pid)):
                self.limits_memory &= controller != "memory"
                watchdog.remove_cgroup(self._kernel_path(self.folders.pop(controller)))

    def read_usage(self) -> CgroupUsage:
        """Return the kernel's counts so far."""
        if self.version is None or not self.folders:
            return CgroupUsage()
        interface = CGROUP_INTERFACES[self.version]
        return CgroupUsage(
            version=self.version,
            peak_bytes=parse_natural(self._read_file("memory", interface.peak)),
            kills=self._read_counter("memory", interface.kills, "oom_kill"),
            refusals=self._read_counter("pids", "pids.events", "max"),
        )

    def kill_processes(self) -> None:
        """Kill all remaining processes, including daemons that have left the process group."""
        for folder in {*self.folders.values()}:
            watchdog.kill_members(self._kernel_path(folder))

    def remove_cgroup(self) -> None:
        """Remove the cgroup. If a process in it cannot be killed, a later run of this program removes it."""
        for folder in {*self.folders.values()}:
            watchdog.end_cgroup(self._kernel_path(folder))

    def _kernel_path(self, name: str) -> str:
        return str(self.files.to_path(name))

    def _write_file(self, controller: str, name: str, text: str) -> bool:
        folder = self.folders.get(controller)
        return folder is not None and watchdog.write_kernel_file(self._kernel_path(f"{folder}/{name}"), text)

    def _read_file(self, controller: str, name: str) -> str | None:
        folder = self.folders.get(controller)
        return None if folder is None else self.files.read_text(f"{folder}/{name}")

    def _read_counter(self, controller: str, name: str, what: str) -> int | None:
        folder = self.folders.get(controller)
        return None if folder is None else parse_natural(self.files.read_table(f"{folder}/{name}", " ").get(what))


@dataclass(frozen=True, slots=True)
class CgroupManager:
    """The cgroups of one orchestrator, whose names carry its mark."""

    mark: str
    files: KernelFiles = field(default_factory=KernelFiles)
    make: Callable[[str], None] = os.mkdir

    @contextmanager
    def make_job_cgroup(self, limits: Limits) -> Iterator[JobCgroup]:
        """Make a cgroup with these limits for each controller that permits it, and remove it at the end."""
        made, name = JobCgroup(self.files), f"{watchdog.NAME_PREFIX}{self.mark}-{os.getpid()}-{next(JOB_NUMBERS)}"
        for controller in CONTROLLERS:
            version, place = self.find_parent(controller)
            # A hybrid system may split the controllers, but limits and counts are read by one version's names.
            if place is not None and made.version in (None, version) and self._make_folder(f"{place}/{name}"):
                made.version, made.folders[controller] = version, f"{place}/{name}"
        try:
            made.apply_limits(limits)
            yield made
        finally:
            made.remove_cgroup()

    def find_parent(self, controller: str) -> tuple[Version | None, str | None]:
        """Return the cgroup in which this process may make cgroups with this controller; None if there is none."""
        version, own = self._find_own(controller)
        if version is None or own is None:
            return None, None
        delegated = (self.files.read_text(f"{own}/cgroup.subtree_control") or "").split()
        fit = (version == "v1" or controller in delegated) and os.access(self.files.to_path(own), os.W_OK)
        return version, own if fit else None

    @contextmanager
    def delegate_controllers(self) -> Iterator[None]:
        """Delegate the controllers of this process's cgroup of version 2 while entered, if permitted."""
        version, own = self._find_own("memory")
        home = f"{own}/{watchdog.NAME_PREFIX}{self.mark}"
        has = "memory" in (self.files.read_text(f"{own}/cgroup.controllers") or "").split()
        if (
            version != "v2"
            or own is None
            or not has
            or self._enable_controllers(own)
            or not self._can_step_down(own, home)
        ):
            yield  # a delegation that exists already stays: the jobs of another program may need it
            return
        try:
            self._move_processes(own, home)
            self._enable_controllers(own)
            yield
        finally:
            watchdog.leave_cgroup(str(self.files.to_path(home)))

    def remove_stale(self) -> None:
        """End the leftover cgroups of orchestrators that are gone together with their watchdogs."""
        for _, place in map(self.find_parent, CONTROLLERS):
            for folder in self.files.list_names(f"{place}/{watchdog.NAME_PREFIX}*") if place else ():
                found = JOB_FOLDER.fullmatch(folder.rpartition("/")[2])
                # The name holds its orchestrator's id: jobs of another one that lives must not be ended here.
                if found and not psutil.pid_exists(int(found[1])):
                    watchdog.end_cgroup(str(self.files.to_path(folder)))

    def _find_own(self, controller: str) -> tuple[Version | None, str | None]:
        """Return the cgroup of this process, or the one that it has left to delegate controllers."""
        # In a container /proc may name another cgroup than the visible one, which lacks this process.
        version, folders = cgroups.find_cgroups(self.files, controller)
        if version is None or not folders or os.getpid() not in self._list_members(folders[-1]):
            return None, None
        around, _, name = folders[-1].rpartition("/")
        return version, around if name == f"{watchdog.NAME_PREFIX}{self.mark}" else folders[-1]

    def _enable_controllers(self, own: str) -> bool:
        """Delegate the needed controllers of a cgroup, and return whether the kernel accepted that.

        All at once: alone, `pids` is accepted even with processes in it, and then none could be moved below it.
        """
        has = (self.files.read_text(f"{own}/cgroup.controllers") or "").split()
        wanted = " ".join(f"+{controller}" for controller in CONTROLLERS if controller in has)
        return watchdog.write_kernel_file(str(self.files.to_path(f"{own}/cgroup.subtree_control")), wanted)

    def _can_step_down(self, own: str, home: str) -> bool:
        """Return whether a cgroup holds only this process and its descendants; if so, make `home` for them."""
        children = {child.pid for child in psutil.Process().children(recursive=True)}
        return {*self._list_members(own)} <= {os.getpid(), *children} and self._make_folder(home)

    def _move_processes(self, own: str, home: str) -> None:
        for pid in self._list_members(own):
            watchdog.write_kernel_file(str(self.files.to_path(f"{home}/cgroup.procs")), str(pid))

    def _list_members(self, folder: str) -> list[int]:
        return list(watchdog.list_members(str(self.files.to_path(folder))))

    def _make_folder(self, folder: str) -> bool:
        with suppress(OSError):
            self.make(str(self.files.to_path(folder)))
            return True
        return self.files.has_file(folder)
