from pathlib import Path

import pytest

from orchestrator.records import provenance
from schemas.cluster import Cluster
from schemas.environment import EnvironmentRecord
from schemas.job import Cell, Timing
from schemas.record import Extension, Host, Manifest
from schemas.sweep import SweepSpec

SWEEP = SweepSpec()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Make a program of two files that measure and one that does not."""
    for name in ("workers/tasks/measure.py", "schemas/deep/event.py", "orchestrator/execution/classify.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def manifest(host: Host, source: Path) -> Manifest:
    return Manifest(
        name="x",
        started="now",
        command=(),
        sweep=SWEEP,
        seed=1,
        cells=(),
        host=host,
        identity=provenance.make_identity(SWEEP, 1, (), source),
    )


def test_nothing_has_changed_where_nothing_has(manifest: Manifest, source: Path) -> None:
    assert provenance.find_changes(manifest, provenance.make_identity(SWEEP, 1, (), source), manifest.host, {}) == []


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("workers/tasks/measure.py", "another", True),
        ("schemas/new.py", "", True),
        ("orchestrator/execution/classify.py", "another", False),
        ("workers/notes.txt", "", False),
    ],
)
def test_the_code_is_that_which_measures(manifest: Manifest, source: Path, name: str, text: str, changed: bool) -> None:
    (source / name).write_text(text)
    found = provenance.find_changes(manifest, provenance.make_identity(SWEEP, 1, (), source), manifest.host, {})
    assert found == (["the source of workers/ or schemas/ has changed"] if changed else [])


def test_a_renamed_file_is_changed_code(source: Path) -> None:
    before = provenance.hash_code(source)
    (source / "workers/tasks/measure.py").rename(source / "workers/jobs.py")
    assert provenance.hash_code(source) != before


@pytest.mark.parametrize(
    ("sweep", "seed", "cells"),
    [
        (SWEEP.model_copy(update={"margin": 0.1}), 1, ()),
        (SWEEP, 2, ()),
        (SWEEP, 1, (Cell(framework="a", mode="b", workload="c"),)),
    ],
)
def test_the_sweep_is_what_was_asked_with_its_seed_and_its_cells(
    manifest: Manifest, source: Path, sweep: SweepSpec, seed: int, cells: tuple[Cell, ...]
) -> None:
    found = provenance.find_changes(manifest, provenance.make_identity(sweep, seed, cells, source), manifest.host, {})
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
    found = provenance.find_changes(
        then, provenance.make_identity(SWEEP, 1, (), source), manifest.host.model_copy(update=after), {}
    )
    assert found == said


def test_a_run_that_does_not_say_what_it_was_is_not_taken_for_the_same(manifest: Manifest, source: Path) -> None:
    nameless = manifest.model_copy(update={"identity": None})
    found = provenance.find_changes(nameless, provenance.make_identity(SWEEP, 1, (), source), manifest.host, {})
    assert found == ["its manifest does not name the code that measured it"]


def test_a_workload_is_edited_if_it_has_other_code_and_not_if_it_is_new_or_left_out() -> None:
    mlp = Cell(framework="numpy", mode="eager", workload="mlp")
    mine = mlp.model_copy(update={"workload": "mine", "code": "ab"})
    edited = mine.model_copy(update={"code": "cd"})
    assert provenance.find_edited_workloads([mine, mlp], [edited, mlp]) == ["mine"]
    assert (
        provenance.find_edited_workloads([mine, mlp], [mine, mlp])
        == provenance.find_edited_workloads([mlp], [mine])
        == []
    )
    assert provenance.find_edited_workloads([mine], [mlp]) == []


def an_environment(freeze: str = "aa", python: str = "3.11.7", **packages: str) -> EnvironmentRecord:
    hashes = {name: version.partition(" ")[2] for name, version in packages.items()}
    versions = {name: version.partition(" ")[0] for name, version in packages.items()}
    return EnvironmentRecord(interpreter="/x", python=python, packages=versions, installed=hashes, freeze=freeze)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (an_environment(keras="3.15 x", numpy="2.4 y"), []),
        (an_environment("bb", keras="3.16 z", numpy="2.4 y"), ["keras 3.15 is now 3.16"]),
        (an_environment("bb", keras="3.15 z", numpy="2.4 y"), ["keras 3.15 has different files"]),
        (an_environment("bb", numpy="2.4 y"), ["keras 3.15 is now absent"]),
        (an_environment("bb", "3.12.1", keras="3.15 x", numpy="2.4 y"), ["Python 3.11.7 is now 3.12.1"]),
    ],
)
def test_a_changed_freeze_is_named_with_what_has_changed(now: EnvironmentRecord, said: list[str]) -> None:
    before = an_environment(keras="3.15 x", numpy="2.4 y")
    found = list(provenance.find_changed_environments({"tensorflow": before}, {"tensorflow": now, "jax": now}))
    assert found == [f"environment tensorflow (freeze aa is now bb): {each}" for each in said]


def test_of_many_changes_the_first_are_named_and_the_others_counted() -> None:
    many = {f"p{number}": "1" for number in range(8)}
    (found,) = provenance.find_changed_environments({"x": an_environment(**many)}, {"x": an_environment("bb")})
    assert found.count("is now absent") == 5
    assert found.endswith("p4 1 is now absent and 3 more")


def test_where_a_run_names_its_environments_what_lies_beside_the_orchestrator_does_not_count(
    manifest: Manifest, source: Path
) -> None:
    then = manifest.model_copy(
        update={
            "host": manifest.host.model_copy(update={"packages": {"torch": "2.13.0"}}),
            "environments": {"torch": an_environment(torch="2.13.0")},
        }
    )
    now = provenance.make_identity(SWEEP, 1, (), source)
    assert provenance.find_changes(then, now, manifest.host, then.environments) == []
    other = {"torch": an_environment("bb", torch="2.14.0")}
    (found,) = provenance.find_changes(then, now, manifest.host, other)
    assert "torch 2.13.0 is now 2.14.0" in found


def test_an_extension_leaves_the_identity_of_a_run_as_it_was(manifest: Manifest, source: Path) -> None:
    longer = SWEEP.stop.model_copy(update={"budget": 600.0})
    extension = Extension(when="now", stop=SWEEP.stop, blocks=8)
    sweep = SWEEP.model_copy(update={"stop": longer})
    extended = manifest.model_copy(update={"sweep": sweep, "extensions": (extension, extension)})
    assert extended.original_sweep == SWEEP
    now = provenance.make_identity(extended.original_sweep, 1, (), source)
    assert provenance.find_changes(extended, now, extended.host, {}) == []
    other = provenance.make_identity(extended.sweep, 1, (), source)
    assert provenance.find_changes(extended, other, extended.host, {}) == ["the sweep in its manifest has changed"]


def test_where_a_sweep_runs_is_no_part_of_what_it_is(source: Path) -> None:
    elsewhere = SWEEP.model_copy(update={"cluster": Cluster(on="slurm", partition="cpu")})
    assert provenance.make_identity(elsewhere, 1, (), source) == provenance.make_identity(SWEEP, 1, (), source)


@pytest.mark.parametrize(("name", "value"), [("growth_calls", 100), ("concurrency", [1, 2])])
def test_a_setting_that_is_new_and_unused_leaves_the_identity_of_earlier_runs(
    source: Path, name: str, value: object
) -> None:
    plain, asked = (SWEEP.model_copy(update={"timing": Timing.model_validate(said)}) for said in ({}, {name: value}))
    added = provenance.ADDED_SETTINGS["timing"]
    assert provenance.dump_for_hash(plain)["timing"].keys() == Timing().model_dump().keys() - added.keys()
    assert provenance.dump_for_hash(asked)["timing"][name] == value
    assert provenance.make_identity(plain, 1, (), source) != provenance.make_identity(asked, 1, (), source)


def test_an_axis_that_is_new_and_unused_leaves_the_identity_of_earlier_runs(source: Path) -> None:
    cell = Cell(framework="torch", mode="eager", workload="mlp")
    tuned = cell.model_copy(update={"tuning": "jemalloc"})
    assert "tuning" not in provenance.dump_for_hash(SWEEP)["axes"]
    assert "tuning" not in provenance.dump_for_hash(cell)
    assert provenance.dump_for_hash(tuned)["tuning"] == "jemalloc"
    assert provenance.make_identity(SWEEP, 1, (tuned,), source) != provenance.make_identity(SWEEP, 1, (cell,), source)
