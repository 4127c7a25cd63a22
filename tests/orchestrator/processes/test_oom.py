"""Machines made of files, whose memory runs out or does not."""

from pathlib import Path

import pytest

from orchestrator.machine.kernel_files import KernelFiles
from orchestrator.processes.oom import OomDetector

V2, V1 = "sys/fs/cgroup/job", "sys/fs/cgroup/memory/job"


class Machine:
    """A machine that counts its kernel's kills for memory, in a cgroup and in total."""

    def __init__(self, root: Path, version: int) -> None:
        self.root = root
        self._group, said = (
            (f"{V2}/memory.events", "0::/job") if version == 2 else (f"{V1}/memory.oom_control", "4:memory:/job")
        )
        self.write("proc/self/cgroup", said)
        for folder in (V2, V1, "sys/fs/cgroup", "sys/fs/cgroup/memory"):
            self.write(f"{folder}/cgroup.procs", "")
        self.set_kills(0, 0)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def set_kills(self, group: int, machine: int) -> None:
        self.write(self._group, f"oom_kill_disable 0\nunder_oom 0\noom_kill {group}\n")
        self.write("proc/vmstat", f"pgfault 12\noom_kill {machine}\n")

    def set_memory(self, held_kb: int, available_kb: int) -> None:
        self.write("proc/7/status", f"Name:\tx\nVmRSS:\t   {held_kb} kB\n")
        self.write("proc/meminfo", f"MemTotal: 1 kB\nMemAvailable:  {available_kb} kB\n")


@pytest.fixture(params=[1, 2])
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> Machine:
    return Machine(tmp_path, request.param)


@pytest.mark.parametrize(
    ("held", "group", "kills", "cause"),
    [
        (10**6, 3, 5, "no"),
        (10**6, 4, 6, "sure"),
        (10, 4, 6, "sure"),
        (10**6, 3, 6, "probable"),
        (10, 3, 6, "killed meanwhile"),
    ],
)
def test_the_ladder_of_causes(machine: Machine, held: int, group: int, kills: int, cause: str) -> None:
    machine.set_kills(3, 5)
    detector = OomDetector(KernelFiles(machine.root))
    machine.set_memory(held, 10**5)
    detector.sample_memory(7)
    machine.set_kills(group, kills)
    assert detector.find_cause() == cause


def test_a_job_with_a_group_of_its_own_is_told_apart_by_that_one(machine: Machine) -> None:
    machine.write("own/memory.events", "oom_kill 0\n")
    detector = OomDetector(KernelFiles(machine.root), cgroup="own")
    machine.set_kills(1, 1)  # another job in this program's cgroup
    assert detector.find_cause() == "killed meanwhile"
    machine.write("own/memory.events", "oom_kill 1\n")
    assert detector.find_cause() == "sure"


def test_what_a_process_held_is_remembered_when_it_is_gone(machine: Machine) -> None:
    detector = OomDetector(KernelFiles(machine.root))
    machine.set_memory(10**6, 10**5)
    detector.sample_memory(7)
    detector.sample_memory(8)
    machine.set_kills(0, 1)
    assert detector.find_cause() == "probable"


def test_a_kernel_that_counts_nothing_gives_no_cause(tmp_path: Path) -> None:
    assert OomDetector(KernelFiles(tmp_path)).find_cause() == "no"


def test_this_machine_can_be_asked() -> None:
    assert OomDetector().find_cause() == "no"
