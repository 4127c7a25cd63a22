import builtins
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.analysis.compare import Verdict
from orchestrator.errors import UsageError
from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecords = Callable[..., list[JobRecord]]
MakeRun = Callable[..., Store]


@pytest.fixture
def run(make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun) -> Store:
    return make_run("mine", make_records([(make_cell("torch:eager"), 1000), (make_cell("torch:script"), 1500)]))


def test_a_run_is_loaded_by_its_name_its_path_or_as_the_latest(tmp_path: Path, run: Store) -> None:
    by_name, by_path = api.load("mine", tmp_path / "runs"), api.load(run.folder)
    assert by_name == by_path == api.load(runs=tmp_path / "runs")
    assert (by_name.name, by_name.manifest.name, len(by_name.records)) == (run.name, "mine", 24)


def test_cells_and_verdicts_are_typed_values(run: Store) -> None:
    loaded = api.load(run.folder)
    eager, script = loaded.cells
    assert (eager.label, eager.outcome) == ("torch:eager", "measured")
    assert eager.floor_ns.low < eager.floor_ns.estimate < eager.floor_ns.high
    assert script.floor_ns.estimate == pytest.approx(1500, rel=0.01)
    (comparison,) = loaded.comparisons
    assert (comparison.baseline, comparison.cell, comparison.verdict) == ("torch:eager", "torch:script", Verdict.SLOWER)


def test_a_frame_has_a_row_for_each_cell_or_job_or_sample(run: Store) -> None:
    loaded = api.load(run.folder)
    assert [len(loaded.frame(per)) for per in ("cell", "job", "sample")] == [2, 24, 72]
    assert loaded.frame().set_index("label").verdict.to_dict()["torch:script"] == "SLOWER"


def test_without_pandas_a_frame_says_what_to_install_and_rows_do_without(
    run: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_pandas(name: str, *rest: object) -> object:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    loaded = api.load(run.folder)
    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(UsageError, match=re.escape("pip install 'plumbline-ml[frames]'")):
        loaded.frame()
    assert len(loaded.rows()) == 2


def test_a_mixed_run_says_so(make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun, run: Store) -> None:
    parts = ("the kernel is another",)
    mixed = api.load(make_run("mixed", make_records([(make_cell("torch:eager"), 1000)]), mixed=parts).folder)
    assert (mixed.mixed, api.load(run.folder).mixed) == (parts, ())
    assert [group.title.partition(":")[0] for group in mixed.groups] == ["MIXED"]
    assert mixed.frame("job").mixed.all()
    assert not api.load(run.folder).frame("job").mixed.any()


def test_two_runs_are_compared(
    tmp_path: Path, run: Store, make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun
) -> None:
    make_run("other", make_records([(make_cell("torch:eager"), 1100)], seed=2), 600)
    compared = api.compare("mine", "other", tmp_path / "runs", at_face_value=True)
    assert [change.verdict for change in compared.changes] == [Verdict.SLOWER]


def test_what_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no runs in"):
        api.load(runs=tmp_path)


def test_the_example_in_the_modules_own_words_runs(
    run: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert api.__doc__ is not None
    _, example = inspect.cleandoc(api.__doc__).split("\n\n", 1)
    exec(compile(example, "example", "exec"), {})
    assert "torch:eager measured" in capsys.readouterr().out
