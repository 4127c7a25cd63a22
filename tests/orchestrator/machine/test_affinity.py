"""The cores that this process may use, from a file or from the kernel itself."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.machine import affinity
from orchestrator.machine.affinity import avoid_cores, list_cores, list_siblings, read_affinity
from orchestrator.machine.kernel_files import CPU_FOLDER, KernelFiles

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity can be set here")


def read(root: Path, text: str) -> tuple[int, ...] | None:
    (root / "proc" / "self").mkdir(parents=True, exist_ok=True)
    (root / "proc" / "self" / "status").write_text(f"Name:\tpython\nCpus_allowed_list:\t{text}\n")
    return read_affinity(KernelFiles(root))


@pytest.mark.parametrize(
    ("text", "cores"),
    [("0", (0,)), ("0-2,5", (0, 1, 2, 5)), ("7,3", (3, 7)), ("2-2", (2,)), ("5-3", None), ("", None), ("none", None)],
)
def test_a_list_of_cores_is_read_as_the_kernel_writes_it(
    tmp_path: Path, text: str, cores: tuple[int, ...] | None
) -> None:
    assert read(tmp_path, text) == cores


@given(st.sets(st.integers(0, 200), min_size=1, max_size=20))
def test_every_set_of_cores_is_read_back(tmp_path_factory: pytest.TempPathFactory, cores: set[int]) -> None:
    text = ",".join(f"{core}" if core % 2 else f"{core}-{core}" for core in cores)
    assert read(tmp_path_factory.getbasetemp() / "affinity", text) == tuple(sorted(cores))


def test_where_the_kernel_says_nothing_nothing_is_known(tmp_path: Path) -> None:
    assert read_affinity(KernelFiles(tmp_path)) is None


def test_the_cores_of_this_process_are_listed_in_order() -> None:
    cores = list_cores()
    assert cores
    assert list(cores) == sorted({*cores})


@needs_affinity
def test_this_process_avoids_the_workers_cores_while_they_work_and_keeps_one_at_least() -> None:
    before = os.sched_getaffinity(0)
    with avoid_cores({max(before)}):
        assert os.sched_getaffinity(0) == ((before - {max(before)}) or before)
    assert os.sched_getaffinity(0) == before
    with avoid_cores({*before}):
        assert os.sched_getaffinity(0) == before


def test_a_parent_that_would_be_left_without_a_core_stays_where_it_is() -> None:
    before = affinity.list_cores()
    with affinity.avoid_cores(before):
        assert affinity.list_cores() == before


def test_the_threads_of_a_physical_core_are_siblings_and_an_unknown_core_is_alone(tmp_path: Path) -> None:
    folder = tmp_path / CPU_FOLDER / "cpu1" / "topology"
    folder.mkdir(parents=True)
    (folder / "thread_siblings_list").write_text("1,5\n")
    assert list_siblings(KernelFiles(tmp_path), (1, 2)) == {1: {1, 5}, 2: {2}}


@needs_affinity
def test_this_process_avoids_the_siblings_of_the_workers_cores_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(os.sched_getaffinity(0))
    monkeypatch.setattr(affinity, "list_siblings", lambda _, cores: {core: frozenset(before[1:]) for core in cores})
    with avoid_cores(before[-1:]):
        assert os.sched_getaffinity(0) == {before[0]}
    monkeypatch.setattr(affinity, "list_siblings", lambda _, cores: {core: frozenset(before) for core in cores})
    with avoid_cores(before[-1:]):
        assert os.sched_getaffinity(0) == (set(before[:-1]) or set(before))


@needs_affinity
def test_every_thread_moves_to_what_workers_leave_and_stays_if_they_leave_nothing() -> None:
    before = os.sched_getaffinity(0)
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        affinity.move_threads(before, {max(before)})
        expected = (before - {max(before)}) or before
        assert os.sched_getaffinity(0) == os.sched_getaffinity(thread.native_id) == expected
        affinity.move_threads(before, before)
        assert os.sched_getaffinity(0) == expected
        affinity.move_threads(before, set())
        assert os.sched_getaffinity(0) == os.sched_getaffinity(thread.native_id) == before
    finally:
        done.set()
        thread.join()
        os.sched_setaffinity(0, before)
