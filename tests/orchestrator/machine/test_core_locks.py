"""No two sweeps hold one core, whoever started them, and a sweep that finds cores taken knows who has them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.machine import core_locks
from orchestrator.machine.core_locks import (
    CoresTaken,
    describe_holder,
    find_lock_folder,
    hold_cores,
    is_public_folder,
    name_cores,
)

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys
from pathlib import Path
from orchestrator.machine.core_locks import hold_cores
order = [int(core) for core in sys.argv[2:]]
with hold_cores(len(order), order, {}, Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def hold_elsewhere(folder: Path, *cores: int) -> Iterator["subprocess.Popen[str]"]:
    """Hold cores in another process, which is killed at the end."""
    command = [sys.executable, "-c", HOLDER, str(folder), *map(str, cores)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def hold(folder: Path, count: int, order: Sequence[int]) -> tuple[int, ...]:
    with hold_cores(count, order, {}, folder) as cores:
        return cores


def test_a_sweep_takes_the_first_cores_that_no_other_has(tmp_path: Path) -> None:
    assert hold(tmp_path, 2, (3, 2, 1, 0)) == (3, 2)
    with hold_elsewhere(tmp_path, 3, 1):
        assert hold(tmp_path, 2, (3, 2, 1, 0)) == (2, 0)
    assert hold(tmp_path, 2, (3, 2, 1, 0)) == (3, 2)  # the kernel has released the locks of the killed one


def test_a_sweep_that_finds_too_few_learns_who_has_the_others_and_keeps_none(tmp_path: Path) -> None:
    with hold_elsewhere(tmp_path, 1, 2) as holder:
        with pytest.raises(CoresTaken) as found:
            hold(tmp_path, 2, (2, 1, 0))
        assert (found.value.needed, found.value.free) == (2, 1)
        who = found.value.describe_holders()
        assert re.fullmatch(rf"process {holder.pid} of \S+ \(since [-\d]+ [\d:]+\) measures on cores 1 and 2", who)
        assert hold(tmp_path, 1, (2, 1, 0)) == (0,)


def test_the_threads_of_a_physical_core_are_held_together(tmp_path: Path) -> None:
    neighbours = {0: (0, 1), 1: (0, 1), 2: (2, 3), 3: (2, 3)}
    with hold_cores(1, (3, 1, 2, 0), neighbours, tmp_path) as mine:
        assert mine == (3,)
        with hold_cores(2, (2, 1, 3, 0), neighbours, tmp_path) as theirs:
            assert theirs == (1, 0)


def test_two_sweeps_within_one_process_are_kept_apart_too(tmp_path: Path) -> None:
    with hold_cores(1, (0,), {}, tmp_path), pytest.raises(CoresTaken, match=str(os.getpid())):
        hold(tmp_path, 1, (0,))


def test_a_holder_without_a_note_is_another_process(tmp_path: Path) -> None:
    with hold_elsewhere(tmp_path, 0):
        (tmp_path / "plumbline-core-0.lock").write_text("")
        with pytest.raises(CoresTaken) as found:
            hold(tmp_path, 1, (0,))
    assert found.value.describe_holders() == "another process measures on core 0"


def test_where_no_lock_can_be_made_cores_are_taken_without_one(tmp_path: Path) -> None:
    assert hold(tmp_path / "missing", 2, (1, 0)) == (1, 0)
    (tmp_path / "plumbline-core-1.lock").mkdir()
    assert hold(tmp_path, 2, (1, 0)) == (1, 0)


def test_all_users_come_to_the_same_folder_since_its_permissions_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, public, later = (tmp_path / name for name in ("closed", "public", "later"))
    for folder, mode in ((closed, 0o755), (public, 0o1777), (later, 0o1777)):
        folder.mkdir()
        folder.chmod(mode)
    monkeypatch.delenv("PLUMBLINE_LOCKS")
    monkeypatch.setattr(core_locks, "FOLDERS", (tmp_path / "missing", closed, public, later))
    assert [is_public_folder(each) for each in core_locks.FOLDERS] == [False, False, True, True]
    assert find_lock_folder() == public
    public.chmod(0o777)  # anyone could remove another's lock
    assert find_lock_folder() == later


def test_the_users_folder_comes_first_and_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_LOCKS", str(tmp_path))
    assert find_lock_folder() == tmp_path
    monkeypatch.setenv("PLUMBLINE_LOCKS", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="missing, which is not a folder; create it, or unset the variable"):
        find_lock_folder()


def test_a_holder_names_its_process_and_its_user_even_one_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_holder().startswith(f"process {os.getpid()} of ")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_001)
    assert f"process {os.getpid()} of user 4000000001 (since " in describe_holder()


def test_cores_are_named_in_order() -> None:
    assert (name_cores([3]), name_cores((2, 0)), name_cores({4, 1, 2})) == (
        "core 3",
        "cores 0 and 2",
        "cores 1, 2 and 4",
    )
