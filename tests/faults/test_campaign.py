"""The short form of the campaign, with one moment of each kind; `tests.faults.campaign` runs the long form."""

import sys
from pathlib import Path

import pytest

from tests.faults.campaign import GROUPED, IN_GROUP, run_trial
from tests.faults.disturbed_sweep import can_mount

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")


@pytest.mark.parametrize(
    ("fault", "moment_s"),
    [
        ("worker SIGKILL", 1.0),
        ("worker SIGSTOP", 2.0),
        ("judge SIGKILL", 1.0),
        ("orchestrator SIGKILL", 1.5),
        ("power", 3.0),
        ("orchestrator and watchdog SIGKILL", 2.5),
        ("half an event", 1.2),
        ("an event too long", 0.7),
    ],
)
@pytest.mark.long
def test_a_fault_breaks_no_promise(tmp_path: Path, fault: str, moment_s: float) -> None:
    assert run_trial(tmp_path, fault, "numpy", moment_s).broken == []


@pytest.mark.long
@pytest.mark.skipif(not can_mount(), reason="only root can mount a disk")
def test_a_full_disk_breaks_no_promise(tmp_path: Path) -> None:
    made = run_trial(tmp_path, "disk full", "numpy", 1.5)
    assert (made.hit, made.broken) == (True, [])


@pytest.mark.long
@pytest.mark.skipif(not GROUPED, reason="no control group can be made here")
@pytest.mark.parametrize("fault", IN_GROUP)
def test_a_fault_within_a_jobs_control_group_breaks_no_promise(tmp_path: Path, fault: str) -> None:
    made = run_trial(tmp_path, fault, "numpy", 1.0)
    assert (made.hit, made.broken) == (True, [])
