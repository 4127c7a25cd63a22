"""One side of a comparison: a run or one of its environments, read from disk and summed up by cell."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.comparison.sides import list_package_prefixes, read_side, summarise_cell, to_content_key
from orchestrator.errors import UsageError
from orchestrator.records.store import Store
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]
MakeReport = Callable[..., Report]
MakeRun = Callable[..., Store]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_a_side_has_the_cells_and_the_jobs_that_count(
    runs: Path, make_cell: MakeCell, make_records: MakeRecords, make_record: MakeRecord, make_run: MakeRun
) -> None:
    cell, clone = make_cell(), make_cell(replica=1)
    filled, lost = make_record(cell, 0), make_record(cell, 3, outcome="killed")
    again = lost.model_copy(update={"spec": lost.spec.model_copy(update={"attempt": 2}), "outcome": "raised"})
    make_run("mine", [filled, *make_records([(cell, 1000), (clone, 1000)], blocks=2), lost, again])
    side = read_side(runs, "mine")
    (name,) = side.cells
    assert side.cells[name] == cell
    assert [(process.block, process.attempt) for process in side.processes[name]] == [(1, 1), (2, 1), (3, 2)]


def test_a_cell_is_the_same_in_any_environment_and_as_a_clone(make_cell: MakeCell) -> None:
    plain = to_content_key(make_cell())
    assert to_content_key(make_cell(environment="other")) == to_content_key(make_cell(replica=1)) == plain
    assert to_content_key(make_cell(code="1" * 16)) != plain
    assert to_content_key(make_cell(code="1" * 16), ["code"]) == to_content_key(make_cell(), ["code"])
    assert to_content_key(make_cell(batch=2)) != plain
    assert to_content_key(make_cell(parameters={"depth": 4})) != plain


def test_an_environment_is_picked_by_its_name(
    runs: Path, make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun
) -> None:
    old, new = (make_cell("torch:eager", environment=f"torch@{version}") for version in ("2.12", "2.13"))
    run = make_run("mine", make_records([(old, 1000), (new, 2000)], blocks=3))
    side = read_side(runs, "mine@torch@2.13")
    assert (side.name, list(side.cells.values())) == (f"{run.name}@torch@2.13", [new])


@pytest.mark.parametrize(
    "text",
    ["venv-head", "venv-head/bin/python", "./venv-head/bin/python", "{folder}/venv-head/bin/python", "venv-head/bin"],
)
def test_an_interpreter_is_picked_by_its_path_or_by_folders_of_it(
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_cell: MakeCell,
    make_records: MakeRecords,
    make_run: MakeRun,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    base, head, longer = (
        make_cell(environment=str(tmp_path / f"venv-{name}" / "bin" / "python")) for name in ("base", "head", "head2")
    )
    run = make_run("mine", make_records([(base, 1000), (head, 2000), (longer, 3000)], blocks=3))
    named = text.format(folder=tmp_path)
    side = read_side(runs, f"mine@{named}")
    assert (side.name, list(side.cells.values())) == (f"{run.name}@{named}", [head])


def test_folders_that_several_interpreters_have_are_a_choice_of_the_shortest_names(
    runs: Path, make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun
) -> None:
    cells = [make_cell(environment=f"/ci/venv-{name}/bin/python") for name in ("base", "head")]
    run = make_run("mine", make_records([(cell, 1000) for cell in cells], blocks=2))
    choice = f"name {run.name}@venv-base or {run.name}@venv-head$"
    for text in ("mine", "mine@ci", "mine@bin/python"):
        with pytest.raises(UsageError, match=choice):
            read_side(runs, text)
    with pytest.raises(UsageError, match=r"unknown environment of .* 'venv'"):
        read_side(runs, "mine@venv")


def test_the_same_cells_in_several_environments_are_a_choice(
    runs: Path, make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun
) -> None:
    cells = [make_cell("torch:eager", environment=name) for name in ("a", "b")]
    run = make_run("mine", make_records([(cell, 1000) for cell in cells], blocks=2))
    with pytest.raises(
        UsageError, match=f"^{run.name} has the same cells in several environments; name {run.name}@a or {run.name}@b$"
    ):
        read_side(runs, "mine")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mine@curent", r"unknown environment of .*-mine 'curent'; did you mean current\?"),
        ("yours", "no run matches 'yours'"),
        ("yours@current", "no run matches 'yours'"),
    ],
)
def test_what_is_not_there_is_named(
    runs: Path, make_records: MakeRecords, make_cell: MakeCell, make_run: MakeRun, text: str, sentence: str
) -> None:
    make_run("mine", make_records([(make_cell(), 1000)], blocks=1))
    with pytest.raises(UsageError, match=sentence):
        read_side(runs, text)


def test_a_path_may_have_the_sign_of_a_version_in_it(
    tmp_path: Path, make_records: MakeRecords, make_cell: MakeCell, make_run: MakeRun
) -> None:
    run = make_run("mine", make_records([(make_cell(), 1000)], blocks=1))
    moved = run.folder.rename(tmp_path / "a@b")
    assert read_side(tmp_path, str(moved)).folder == moved.resolve()


def test_a_block_begins_with_its_first_job_and_filling_a_cache_is_none(
    runs: Path, make_cell: MakeCell, make_record: MakeRecord, make_run: MakeRun
) -> None:
    def started(cell: Cell, block: int, at: str) -> JobRecord:
        record = make_record(cell, block)
        assert record.outside is not None
        return record.model_copy(update={"outside": record.outside.model_copy(update={"started": at})})

    one, other = make_cell(), make_cell("torch:eager")
    records = [
        started(one, 0, "1970-01-01T00:00:01+00:00"),
        started(one, 1, "1970-01-01T00:00:20+00:00"),
        started(other, 1, "1970-01-01T00:00:10+00:00"),
        started(one, 2, "1970-01-01T00:01:00+00:00"),
        started(one, 3, "yesterday"),
    ]
    make_run("mine", records)
    assert read_side(runs, "mine").block_starts() == {1: 10.0, 2: 60.0}


def test_the_canary_is_the_median_of_each_process_fastest_or_not_a_number(
    runs: Path, make_record: MakeRecord, make_report: MakeReport, make_run: MakeRun
) -> None:
    noise = make_report().noise.model_dump()
    songs = [(30, 20, 40), (90, 80, 70), (11, 12, 10)]
    reports = [make_report(noise=noise | {"canary_ns": each}) for each in songs]
    make_run("mine", [make_record(block=block, result=report) for block, report in enumerate(reports, 1)])
    assert read_side(runs, "mine").canary_ns == 20
    make_run("silent", [make_record(outcome="raised")], at_s=60)
    assert math.isnan(read_side(runs, "silent").canary_ns)


def test_a_cell_is_summed_up_with_its_scores_its_inputs_and_its_own_software(
    runs: Path, make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport, make_run: MakeRun
) -> None:
    versions = {"jax": "0.10.2", "jaxlib": "0.10.2", "numpy": "2.0"}
    reports = [make_report(call_ns, versions=versions) for call_ns in (1000, 1100)]
    make_run("mine", [make_record(make_cell("jax:jit"), block, result=each) for block, each in enumerate(reports, 1)])
    side = read_side(runs, "mine")
    (name,) = side.cells
    found = summarise_cell(side, name)
    assert (found.result.outcome, found.result.jobs) == ("measured", 2)
    assert {block: math.exp(log) * 1e9 for block, log in found.scores.floor.items()} == pytest.approx(
        {1: 1000, 2: 1100}
    )
    assert found.computed == {"ab"}
    assert found.versions == {("jax", "0.10.2"), ("jaxlib", "0.10.2")}


@pytest.mark.parametrize(
    ("framework", "package", "own"),
    [
        ("jax", "jaxlib", True),
        ("jax", "numpy", False),
        ("tensorflow", "tensorflow-cpu", True),
        ("onnxruntime", "onnxscript", True),
        ("stranger", "anything", True),
    ],
)
def test_a_framework_owns_the_packages_that_begin_like_it_or_that_it_needs(
    framework: str, package: str, own: bool
) -> None:
    assert package.startswith(list_package_prefixes(framework)) is own
