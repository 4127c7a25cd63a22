from pathlib import Path

import pytest

from orchestrator import identity
from schemas.job import Cell
from schemas.record import Host, Manifest
from schemas.sweep import SweepSpec

SWEEP = SweepSpec()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A program of two files that measure and one that does not."""
    for name in ("workers/job.py", "schemas/deep/event.py", "orchestrator/judge.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def manifest(host: Host, source: Path) -> Manifest:
    return Manifest(
        name="x", started="now", command=(), sweep=SWEEP, seed=1, cells=(), host=host,
        identity=identity.of(SWEEP, 1, (), source),
    )  # fmt: skip


def test_nothing_has_changed_where_nothing_has(manifest: Manifest, source: Path) -> None:
    assert identity.changes(manifest, identity.of(SWEEP, 1, (), source), manifest.host, {}) == []


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("workers/job.py", "another", True), ("schemas/new.py", "", True), ("orchestrator/judge.py", "another", False),
        ("workers/notes.txt", "", False),
    ],
)  # fmt: skip
def test_the_code_is_that_which_measures(manifest: Manifest, source: Path, name: str, text: str, changed: bool) -> None:
    (source / name).write_text(text)
    found = identity.changes(manifest, identity.of(SWEEP, 1, (), source), manifest.host, {})
    assert found == (["the source of workers/ or schemas/ has changed"] if changed else [])


def test_a_renamed_file_is_changed_code(source: Path) -> None:
    before = identity.code(source)
    (source / "workers/job.py").rename(source / "workers/jobs.py")
    assert identity.code(source) != before


@pytest.mark.parametrize(
    ("sweep", "seed", "cells"),
    [
        (SWEEP.model_copy(update={"margin": 0.1}), 1, ()), (SWEEP, 2, ()),
        (SWEEP, 1, (Cell(framework="a", mode="b", workload="c"),)),
    ],
)  # fmt: skip
def test_the_sweep_is_what_was_asked_with_its_seed_and_its_cells(
    manifest: Manifest, source: Path, sweep: SweepSpec, seed: int, cells: tuple[Cell, ...]
) -> None:
    found = identity.changes(manifest, identity.of(sweep, seed, cells, source), manifest.host, {})
    assert found == ["the sweep in its manifest has changed"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"packages": {"torch": "2.13.0"}}, {"packages": {"torch": "2.14.0"}}, ["torch 2.13.0 is now 2.14.0"]),
        ({"packages": {"torch": "2.13.0"}}, {}, ["torch 2.13.0 is now absent"]),
        ({"variables": {}}, {"variables": {"LD_PRELOAD": "x" * 99}}, [f"LD_PRELOAD absent is now {'x' * 57}..."]),
        ({"python": "3.11.7"}, {"python": "3.12.0"}, ["python 3.11.7 is now 3.12.0"]),
        ({"memory_bytes": 1 << 30}, {"memory_bytes": 1 << 31}, []),
        ({"cores": 2}, {"cores": 4}, ["cores 2 is now 4"]),
    ],
)
def test_a_host_is_another_if_a_time_may_feel_it(
    manifest: Manifest, source: Path, before: dict[str, object], after: dict[str, object], said: list[str]
) -> None:
    then = manifest.model_copy(update={"host": manifest.host.model_copy(update=before)})
    found = identity.changes(then, identity.of(SWEEP, 1, (), source), manifest.host.model_copy(update=after), {})
    assert found == said


def test_a_run_that_does_not_say_what_it_was_is_not_taken_for_the_same(manifest: Manifest, source: Path) -> None:
    nameless = manifest.model_copy(update={"identity": None})
    found = identity.changes(nameless, identity.of(SWEEP, 1, (), source), manifest.host, {})
    assert found == ["it does not say which code measured it"]
