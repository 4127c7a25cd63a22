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

from orchestrator import host, watchdog
from orchestrator.system import Files, natural
from schemas.limits import Limits

Version = Literal["v1", "v2"]
CONTROLLERS = ("memory", "pids")
# Users count processes, the kernel counts threads too: the kernel's limit for each process that a job may have.
TASKS_EACH = 8

JOB = re.compile(rf"{watchdog.PREFIX}[0-9a-f]{{32}}-([0-9]{{1,10}})-[0-9]+")
NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The file names of one version of the interface.

    `memory` maps the files that limit memory to their contents, the limit itself first. `together` makes the kernel
    kill a cgroup as a whole, where it can.
    """

    memory: Mapping[str, str]
    together: Mapping[str, str]
    peak: str
    kills: str


DIALECTS: Mapping[Version, Dialect] = {
    "v1": Dialect(
        memory={"memory.limit_in_bytes": "{}", "memory.memsw.limit_in_bytes": "{}"},
        together={},
        peak="memory.max_usage_in_bytes",
        kills="memory.oom_control",
    ),
    "v2": Dialect(
        memory={"memory.max": "{}", "memory.swap.max": "0"},
        together={"memory.oom.group": "1"},
        peak="memory.peak",
        kills="memory.events",
    ),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The counts of a job's cgroup: peak bytes, processes killed because memory ran out, and refused starts.

    None: the kernel does not count it.
    """

    version: Version | None = None
    peak_bytes: int | None = None
    kills: int | None = None
    refusals: int | None = None


@dataclass
class Leaf:
    """One job's cgroup: its folder by controller, the same for all in version 2; empty if there is none."""

    files: Files
    version: Version | None = None
    folders: dict[str, str] = field(default_factory=dict)
    bounds_memory: bool = False

    def bound(self, limits: Limits) -> None:
        """Set the limits of the job as a whole."""
        self._write("pids", "pids.max", str(TASKS_EACH * limits.processes))
        if self.version is None:
            return
        dialect = DIALECTS[self.version]
        for name, text in dialect.together.items():
            self._write("memory", name, text)
        if limits.memory is not None:
            took = [self._write("memory", name, text.format(limits.memory)) for name, text in dialect.memory.items()]
            self.bounds_memory = took[0]

    def enter(self, pid: int) -> None:
        """Move a process that has just started here; its children follow."""
        for controller in list(self.folders):
            if not self._write(controller, "cgroup.procs", str(pid)):
                self.bounds_memory &= controller != "memory"
                watchdog.remove(self._path(self.folders.pop(controller)))

    def seen(self) -> Seen:
        """Return the kernel's counts so far."""
        if self.version is None or not self.folders:
            return Seen()
        dialect = DIALECTS[self.version]
        return Seen(
            version=self.version,
            peak_bytes=natural(self._said("memory", dialect.peak)),
            kills=self._counted("memory", dialect.kills, "oom_kill"),
            refusals=self._counted("pids", "pids.events", "max"),
        )

    def empty(self) -> None:
        """Kill all remaining processes, including daemons that have left the process group."""
        for folder in {*self.folders.values()}:
            watchdog.empty(self._path(folder))

    def end(self) -> None:
        """Remove the cgroup. If a process in it cannot be killed, a later run of this program removes it."""
        for folder in {*self.folders.values()}:
            watchdog.end(self._path(folder))

    def _path(self, name: str) -> str:
        return str(self.files.path(name))

    def _write(self, controller: str, name: str, text: str) -> bool:
        folder = self.folders.get(controller)
        return folder is not None and watchdog.write(self._path(f"{folder}/{name}"), text)

    def _said(self, controller: str, name: str) -> str | None:
        folder = self.folders.get(controller)
        return None if folder is None else self.files.text(f"{folder}/{name}")

    def _counted(self, controller: str, name: str, what: str) -> int | None:
        folder = self.folders.get(controller)
        return None if folder is None else natural(self.files.table(f"{folder}/{name}", " ").get(what))


@dataclass(frozen=True, slots=True)
class Groups:
    """The cgroups of one orchestrator, whose names carry its mark."""

    mark: str
    files: Files = field(default_factory=Files)
    make: Callable[[str], None] = os.mkdir

    @contextmanager
    def leaf(self, limits: Limits) -> Iterator[Leaf]:
        """Make a cgroup with these limits for each controller that permits it, and remove it at the end."""
        made, name = Leaf(self.files), f"{watchdog.PREFIX}{self.mark}-{os.getpid()}-{next(NUMBERS)}"
        for controller in CONTROLLERS:
            version, place = self.place(controller)
            if place is not None and made.version in (None, version) and self._made(f"{place}/{name}"):
                made.version, made.folders[controller] = version, f"{place}/{name}"
        try:
            made.bound(limits)
            yield made
        finally:
            made.end()

    def place(self, controller: str) -> tuple[Version | None, str | None]:
        """Return the cgroup in which this process may make cgroups with this controller; None if there is none."""
        version, own = self._own(controller)
        if version is None or own is None:
            return None, None
        handed_on = (self.files.text(f"{own}/cgroup.subtree_control") or "").split()
        fit = (version == "v1" or controller in handed_on) and os.access(self.files.path(own), os.W_OK)
        return version, own if fit else None

    @contextmanager
    def handing_on(self) -> Iterator[None]:
        """Delegate the controllers of this process's cgroup of version 2 while entered, if permitted."""
        version, own = self._own("memory")
        home = f"{own}/{watchdog.PREFIX}{self.mark}"
        has = "memory" in (self.files.text(f"{own}/cgroup.controllers") or "").split()
        if version != "v2" or own is None or not has or self._hand_on(own) or not self._may_leave(own, home):
            yield  # a delegation that exists already stays: the jobs of another program may need it
            return
        try:
            self._move(own, home)
            self._hand_on(own)
            yield
        finally:
            watchdog.leave(str(self.files.path(home)))

    def end_stale(self) -> None:
        """End the leftover cgroups of orchestrators that are gone together with their watchdogs."""
        for _, place in map(self.place, CONTROLLERS):
            for folder in self.files.names(f"{place}/{watchdog.PREFIX}*") if place else ():
                found = JOB.fullmatch(folder.rpartition("/")[2])
                if found and not psutil.pid_exists(int(found[1])):
                    watchdog.end(str(self.files.path(folder)))

    def _own(self, controller: str) -> tuple[Version | None, str | None]:
        """Return the cgroup of this process, or the one that it has left to delegate controllers."""
        # In a container /proc may name another cgroup than the visible one, which lacks this process.
        version, folders = host.groups(self.files, controller)
        if version is None or not folders or os.getpid() not in self._members(folders[-1]):
            return None, None
        around, _, name = folders[-1].rpartition("/")
        return version, around if name == f"{watchdog.PREFIX}{self.mark}" else folders[-1]

    def _hand_on(self, own: str) -> bool:
        """Delegate the needed controllers of a cgroup, and return whether the kernel accepted that.

        All at once: alone, `pids` is accepted even with processes in it, and then none could be moved below it.
        """
        has = (self.files.text(f"{own}/cgroup.controllers") or "").split()
        wanted = " ".join(f"+{controller}" for controller in CONTROLLERS if controller in has)
        return watchdog.write(str(self.files.path(f"{own}/cgroup.subtree_control")), wanted)

    def _may_leave(self, own: str, home: str) -> bool:
        """Return whether a cgroup holds only this process and its descendants; if so, make `home` for them."""
        children = {child.pid for child in psutil.Process().children(recursive=True)}
        return {*self._members(own)} <= {os.getpid(), *children} and self._made(home)

    def _move(self, own: str, home: str) -> None:
        for pid in self._members(own):
            watchdog.write(str(self.files.path(f"{home}/cgroup.procs")), str(pid))

    def _members(self, folder: str) -> list[int]:
        return list(watchdog.members(str(self.files.path(folder))))

    def _made(self, folder: str) -> bool:
        with suppress(OSError):
            self.make(str(self.files.path(folder)))
            return True
        return self.files.has(folder)
