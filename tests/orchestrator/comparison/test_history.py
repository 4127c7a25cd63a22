"""Histories of runs on disk: runs of one type of machine, matched cells, and steps with what changed there."""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.comparison.history import CellHistory, History, trace_history
from orchestrator.comparison.since import parse_since
from orchestrator.errors import UsageError
from orchestrator.records.store import Store
from schemas.environment import EnvironmentRecord
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import HOST, NOON

DAY_S = 86_400
TIMES_NS = {"numpy:eager": 20_000, "torch:eager": 30_000, "torch:script": 40_000, "jax:jit": 50_000}
OTHER = HOST.model_copy(update={"cpu": "another CPU"})


class Archive:
    """A folder of daily runs of four cells. A run moves all cells by 1 % and each by 0.3 % (standard deviations)."""

    def __init__(
        self, make_run: Callable[..., Store], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
    ) -> None:
        self.make_run, self.make_record, self.make_report = make_run, make_record, make_report
        self.rng, self.day = random.Random(1), 0

    def add(
        self,
        days: int = 1,
        times: Mapping[str, float] | None = None,
        versions: Mapping[str, str] | None = None,
        cell: Mapping[str, object] | None = None,
        labels: Sequence[str] = tuple(TIMES_NS),
        **manifest: object,
    ) -> None:
        """Add a run on each of these days. `times` multiply the times of some modes."""
        for _ in range(days):
            common, records = self.rng.gauss(0, 0.01), list[JobRecord]()
            for label in labels:
                framework, _, mode = label.partition(":")
                plain = {"framework": framework, "mode": mode, "workload": "mlp", "parameters": {"depth": 3}}
                made = Cell.model_validate(plain | dict(cell or {}))
                level = TIMES_NS[label] * (times or {}).get(label, 1) * math.exp(common + self.rng.gauss(0, 0.003))
                for block in range(1, 4):
                    report = self.make_report(
                        round(level * math.exp(self.rng.gauss(0, 0.002))),
                        versions={"numpy": "2.0", framework: (versions or {}).get(framework, "1.0")},
                    )
                    records.append(self.make_record(made, block, result=report))
            self.make_run(f"day-{self.day}", records, self.day * DAY_S, **manifest)
            self.day += 1


@pytest.fixture
def archive(
    make_run: Callable[..., Store], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> Archive:
    return Archive(make_run, make_record, make_report)


def trace(tmp_path: Path, **options: str | datetime) -> History:
    cell, since = options.get("cell", ""), options.get("since")
    assert isinstance(cell, str)
    assert since is None or isinstance(since, datetime)
    return trace_history(tmp_path / "runs", cell=cell, since=since)


def find(history: History, label: str) -> CellHistory:
    (found,) = [cell for each in history.types for cell in each.cells if cell.label == label]
    return found


# Steps


def test_a_step_of_one_cell_is_found_at_its_run_with_its_size(archive: Archive, tmp_path: Path) -> None:
    archive.add(10)
    archive.add(10, times={"torch:script": 1.08})
    history = trace(tmp_path)
    assert [cell.label for each in history.types for cell in each.cells if cell.claimed] == ["torch:script"]
    (step,) = find(history, "torch:script").claimed
    assert step.after.run.name.endswith("day-10")
    assert step.before.run.name.endswith("day-9")
    assert step.ratio.low <= 1.08 <= step.ratio.high
    assert step.ratio.low > 1.03
    assert step.p <= 0.05


def test_a_slowdown_that_was_repaired_has_two_steps(archive: Archive, tmp_path: Path) -> None:
    archive.add(10)
    archive.add(8, times={"jax:jit": 1.10})
    archive.add(10)
    steps = find(trace(tmp_path), "jax:jit").claimed
    assert [step.after.run.name.rpartition("-")[2] for step in steps] == ["10", "18"]
    assert [step.observed.estimate > 1 for step in steps] == [True, False]


def test_without_a_change_no_cell_has_a_step(archive: Archive, tmp_path: Path) -> None:
    archive.add(20)
    history = trace(tmp_path)
    assert [len(cell.claimed) for each in history.types for cell in each.cells] == [0, 0, 0, 0]
    assert all(cell.is_searched and cell.controls >= 2 for each in history.types for cell in each.cells)


def test_a_step_says_which_versions_and_settings_differ_there(archive: Archive, tmp_path: Path) -> None:
    archive.add(10, versions={"torch": "2.12.0"}, host=HOST.model_copy(update={"kernel": "6.1"}))
    after = HOST.model_copy(update={"kernel": "6.2", "packages": {"scipy": "1.15"}})
    archive.add(10, {"torch:eager": 1.1, "torch:script": 1.1}, versions={"torch": "2.13.0"}, host=after)
    for label in ("torch:eager", "torch:script"):
        (step,) = find(trace(tmp_path), label).claimed
        assert step.changed == ("torch 2.12.0 is now 2.13.0", "scipy absent is now 1.15", "kernel 6.1 is now 6.2")


def test_a_new_commit_and_new_code_of_a_workload_are_the_same_cell_and_named_at_its_step(
    archive: Archive, tmp_path: Path
) -> None:
    archive.add(10, cell={"code": "1" * 16}, commits={"mlp": "a" * 40})
    archive.add(10, {"jax:jit": 0.9}, cell={"code": "2" * 16}, commits={"mlp": "b" * 40})
    history = find(trace(tmp_path), "jax:jit")
    (step,) = history.claimed
    assert step.changed == ("commit aaaaaaaa is now bbbbbbbb", "code 11111111 of the workload is now 22222222")
    assert [point.commit[0] for point in history.points] == [*"a" * 10, *"b" * 10]


def test_a_step_says_which_packages_of_its_environment_differ_there(archive: Archive, tmp_path: Path) -> None:
    for days, times, freeze, version in ((10, {}, "aa", "1.1"), (10, {"jax:jit": 1.1}, "bb", "1.2")):
        found = EnvironmentRecord(
            interpreter="python", python="3.11.7", packages={"flax": version}, installed={}, freeze=freeze
        )
        archive.add(days, times, cell={"environment": "jax"}, environments={"jax": found})
    (step,) = find(trace(tmp_path), "jax:jit").claimed
    assert step.changed == ("environment jax (freeze aa is now bb): flax 1.1 is now 1.2",)


def test_where_nothing_recorded_differs_nothing_is_named(archive: Archive, tmp_path: Path) -> None:
    archive.add(10)
    archive.add(10, times={"jax:jit": 1.08})
    (step,) = find(trace(tmp_path), "jax:jit").claimed
    assert step.changed == ()


def test_with_too_few_runs_no_step_is_found_and_the_number_that_is_needed_is_known(
    archive: Archive, tmp_path: Path
) -> None:
    archive.add(3)
    archive.add(3, times={"jax:jit": 2})
    cell = find(trace(tmp_path), "jax:jit")
    assert (cell.steps, cell.is_searched, cell.needed) == ((), False, 10)
    archive.add(4, times={"jax:jit": 2})
    cell = find(trace(tmp_path), "jax:jit")
    assert cell.is_searched


def test_a_single_cell_needs_a_larger_step(archive: Archive, tmp_path: Path) -> None:
    archive.add(12, labels=("jax:jit",))
    archive.add(12, times={"jax:jit": 1.03}, labels=("jax:jit",))
    archive.add(12, times={"jax:jit": 1.15}, labels=("jax:jit",))
    cell = find(trace(tmp_path), "jax:jit")
    assert cell.controls == 0
    assert [step.after.run.name.rpartition("-")[2] for step in cell.claimed] == ["24"]


# Matching


def test_runs_of_two_types_of_machine_are_two_histories(archive: Archive, tmp_path: Path) -> None:
    archive.add(3)
    archive.add(2, times={"jax:jit": 3}, host=OTHER)
    archive.add(3)
    first, second = trace(tmp_path).types
    assert (first.machine.cpu, second.machine.cpu) == (HOST.cpu, "another CPU")
    assert [[len(cell.points) for cell in each.cells] for each in (first, second)] == [[6] * 4, [2] * 4]
    assert (len(first.runs), len(second.runs)) == (6, 2)


def test_another_environment_is_the_same_cell(archive: Archive, tmp_path: Path) -> None:
    archive.add(2, cell={"environment": "one"})
    archive.add(2, cell={"environment": "two"})
    assert len(find(trace(tmp_path), "jax:jit").points) == 4


def test_cells_of_one_run_that_differ_in_their_environment_alone_stay_apart(
    make_run: Callable[..., Store],
    make_records: Callable[..., list[JobRecord]],
    make_cell: Callable[..., Cell],
    tmp_path: Path,
) -> None:
    cells = [make_cell(environment=name) for name in ("numpy@1", "numpy@2")]
    for day in range(3):
        make_run(f"day-{day}", make_records([(cells[0], 1000), (cells[1], 2000)]), day * DAY_S)
    (history,) = trace(tmp_path).types
    assert [(cell.label, len(cell.points)) for cell in history.cells] == [("numpy@1:eager", 3), ("numpy@2:eager", 3)]


def test_other_sizes_are_other_cells(archive: Archive, tmp_path: Path) -> None:
    archive.add(2)
    archive.add(2, cell={"parameters": {"depth": 4}})
    (history,) = trace(tmp_path).types
    assert len(history.cells) == 8


def test_points_are_in_order_of_time_whatever_the_names(
    make_run: Callable[..., Store],
    make_records: Callable[..., list[JobRecord]],
    make_cell: Callable[..., Cell],
    tmp_path: Path,
) -> None:
    for name, at_s in (("b", 0), ("a", DAY_S)):
        run = make_run(name, make_records([(make_cell(), 1000)]), at_s)
        run.folder.rename(run.folder.with_name(name))
    assert [point.run.name for point in find(trace(tmp_path), "numpy:eager").points] == ["b", "a"]


def test_a_clone_is_no_cell_of_a_history(
    make_run: Callable[..., Store],
    make_records: Callable[..., list[JobRecord]],
    make_cell: Callable[..., Cell],
    tmp_path: Path,
) -> None:
    for day in range(2):
        make_run(f"day-{day}", make_records([(make_cell(), 1000), (make_cell(replica=1), 1000)]), day * DAY_S)
    (history,) = trace(tmp_path).types
    assert [cell.label for cell in history.cells] == ["numpy:eager"]


def test_a_cell_that_was_wrong_has_no_point(
    make_run: Callable[..., Store], make_record: Callable[..., JobRecord], archive: Archive, tmp_path: Path
) -> None:
    archive.add(2)
    wrong = Cell(framework="jax", mode="jit", workload="mlp", parameters={"depth": 3})
    make_run("wrong", [make_record(wrong, 1, outcome="wrong")], 9 * DAY_S)
    assert len(find(trace(tmp_path), "jax:jit").points) == 2


# The choice of runs and cells


def test_a_part_of_mode_or_computation_chooses_cells(archive: Archive, tmp_path: Path) -> None:
    archive.add(2)
    for text, labels in (
        ("script", ["torch:script"]),
        ("TORCH", ["torch:eager", "torch:script"]),
        ("mlp", [*TIMES_NS]),
    ):
        (history,) = trace(tmp_path, cell=text).types
        assert [cell.label for cell in history.cells] == labels


def test_a_chosen_cell_is_shown_even_after_one_run(archive: Archive, tmp_path: Path) -> None:
    archive.add(1)
    assert len(find(trace(tmp_path, cell="jit"), "jax:jit").points) == 1


def test_the_other_cells_show_the_effect_of_the_runs_even_if_they_are_not_chosen(
    archive: Archive, tmp_path: Path
) -> None:
    archive.add(10)
    archive.add(10, times={"jax:jit": 1.08})
    cell = find(trace(tmp_path, cell="jax"), "jax:jit")
    assert (cell.controls, len(cell.claimed)) == (3, 1)


def test_runs_before_a_date_are_left_out(archive: Archive, tmp_path: Path) -> None:
    archive.add(5)
    assert len(find(trace(tmp_path, since=NOON + timedelta(days=3)), "jax:jit").points) == 2


# What is left out, and mistakes


def test_a_mixed_run_and_a_damaged_one_are_named_and_left_out(archive: Archive, tmp_path: Path) -> None:
    archive.add(3)
    archive.add(1, mixed=("numpy 1 is now 2",))
    archive.add(1)
    damaged = tmp_path / "runs" / "20240101-000000-damaged"
    damaged.mkdir()
    (damaged / "manifest.json").write_text("{")
    history = trace(tmp_path)
    assert len(find(history, "jax:jit").points) == 4
    assert sorted(reason.split(" ")[0].rstrip(":") for reason in history.skipped) == [
        "20240101-000000-damaged",
        "20250104-120000-day-3",
    ]


def test_a_damaged_record_is_named_and_left_out(archive: Archive, tmp_path: Path) -> None:
    archive.add(2)
    min((tmp_path / "runs").glob("*/jobs/*.json")).write_text("{")
    (reason,) = trace(tmp_path).skipped
    assert reason.startswith("20250101-120000-day-0: 001-jax-jit-mlp")


def test_without_a_run_the_message_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there are no runs in .*; start one with: python -m orchestrator sweep"):
        trace(tmp_path)


def test_without_a_run_so_late_the_message_says_so(archive: Archive, tmp_path: Path) -> None:
    archive.add(3)
    with pytest.raises(UsageError, match="none of 3 runs began on 2030-01-01 or later; give an earlier --since"):
        trace(tmp_path, since=datetime(2030, 1, 1, tzinfo=UTC))


def test_the_message_names_the_date_that_was_given_wherever_the_machine_is(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add(1)
    try:
        for zone in ("Asia/Tokyo", "America/Los_Angeles", "UTC"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            since = parse_since("2030-01-01", NOON)
            assert since is not None
            with pytest.raises(UsageError, match="none of 1 runs began on 2030-01-01 or later"):
                trace(tmp_path, since=since)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_records_that_are_left_out_of_one_run_are_counted_in_one_line(
    archive: Archive, tmp_path: Path, make_run: Callable[..., Store], make_records: Callable[..., list[JobRecord]]
) -> None:
    archive.add(2)
    cell = Cell(framework="jax", mode="jit", workload="mlp", parameters={"depth": 3})
    foreign = [each.model_copy(update={"host": OTHER}) for each in make_records([(cell, 50_000)])]
    make_run("foreign", foreign, 5 * DAY_S)
    (reason,) = trace(tmp_path).skipped
    assert reason.count("was measured on another type of machine") == 5
    assert reason.endswith("; and 7 more")


def test_an_unknown_cell_is_answered_with_examples(archive: Archive, tmp_path: Path) -> None:
    archive.add(2)
    with pytest.raises(UsageError, match=r"no cell matches 'keras'; for example: numpy:eager, mlp backward"):
        trace(tmp_path, cell="keras")


def test_a_single_run_has_no_history(archive: Archive, tmp_path: Path) -> None:
    archive.add(1)
    with pytest.raises(UsageError, match="no cell was measured in two runs of one type of machine"):
        trace(tmp_path)


def test_two_runs_on_two_types_of_machine_have_none_either(archive: Archive, tmp_path: Path) -> None:
    archive.add(1)
    archive.add(1, host=OTHER)
    with pytest.raises(UsageError, match="no cell was measured in two runs of one type of machine"):
        trace(tmp_path)


def test_if_no_run_can_be_used_the_first_reason_is_given(archive: Archive, tmp_path: Path) -> None:
    archive.add(1, mixed=("numpy 1 is now 2",))
    with pytest.raises(UsageError, match=r"no run can be used: 20250101-120000-day-0 is MIXED"):
        trace(tmp_path)
