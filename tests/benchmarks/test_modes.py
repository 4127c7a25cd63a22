"""The script for the table of support runs real jobs, keeps what noise cannot cause, and tries the rest again."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.records.store import Store
from schemas.catalog import FRAMEWORKS
from schemas.environment import EnvironmentRecord
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord, Outcome
from tests.benchmarks.modes import (
    LONGEST_REASON,
    choose_modes,
    choose_record,
    choose_workloads,
    enter_untried,
    is_doubtful,
    list_versions,
    read_findings,
    tidy_reason,
    try_mode,
)
from tests.benchmarks.support import DATA, NOT_TRIED, CellName, Entry, Support, list_all_workloads, list_due_cells

ROOT = Path(__file__).resolve().parents[2]
MODE = "numpy:eager"
FORWARD, BACKWARD = CellName(MODE, "mlp", "forward"), CellName(MODE, "mlp", "backward")

MakeCell = Callable[..., Cell]
MakeReport = Callable[..., Report]
MakeRun = Callable[..., Store]
MakeRecord = Callable[..., JobRecord]
Record = Callable[..., JobRecord]


@pytest.fixture
def record(make_cell: MakeCell, make_record: MakeRecord) -> Record:
    """A record of the cell `numpy:eager mlp forward` with this outcome, or of another task."""

    def make(outcome: Outcome = "measured", reason: str = "", task: str = "forward") -> JobRecord:
        made = make_record(make_cell(MODE, task=task), 2)
        kept = {"outcome": outcome, "reason": reason} | ({} if outcome == "measured" else {"result": None})
        return made.model_copy(update=kept)

    return make


# The request


def test_a_framework_stands_for_its_modes_and_nothing_for_all() -> None:
    assert choose_modes("jax,torch:trace") == ["torch:trace", "jax:eager", "jax:jit"]
    assert choose_modes("") == list(dict.fromkeys(cell.mode for cell in list_due_cells()))
    assert choose_workloads("rnn,mlp") == ["rnn", "mlp"]
    assert choose_workloads("") == list_all_workloads()


@pytest.mark.parametrize("name", ["jaxx", "jax:jitt", "synthetic", "synthetic:spin"])
def test_an_unknown_mode_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown framework or mode '{name}'"):
        choose_modes(f"torch,{name}")


def test_an_unknown_workload_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown workload 'mlpp'; did you mean mlp\?"):
        choose_workloads("mlpp")


def test_a_wrong_request_exits_with_2_and_leaves_the_table_alone() -> None:
    before = DATA.read_bytes()
    command = [sys.executable, "-m", "tests.benchmarks.modes", "--only", "jax:jitt"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown framework or mode 'jax:jitt'; did you mean jax:jit?" in done.stderr
    assert DATA.read_bytes() == before


def test_cells_are_entered_as_not_tried_only_where_there_is_no_entry() -> None:
    due = Entry(outcome=NOT_TRIED, reason="it is new")
    table = enter_untried(Support({}, {FORWARD: Entry(outcome="measured")}), [MODE], ["mlp"], "it is new")
    assert table.entries == {FORWARD: Entry(outcome="measured"), BACKWARD: due}


# Records


@pytest.mark.parametrize("outcome", ["implausible", "nonlinear", "timeout", "stopped"])
def test_an_outcome_that_noise_can_cause_does_not_replace_a_settled_one(record: Record, outcome: Outcome) -> None:
    settled, doubtful = record("wrong", "it differs"), record(outcome, "it took too long")
    assert is_doubtful(doubtful)
    assert choose_record([settled, doubtful]) == settled
    assert choose_record([doubtful, settled]) == settled
    assert choose_record([doubtful]) == doubtful


@pytest.mark.parametrize("outcome", ["wrong", "unsupported", "raised", "overhead-dominated", "measured"])
def test_an_outcome_that_noise_cannot_cause_is_settled(record: Record, outcome: Outcome) -> None:
    assert not is_doubtful(record(outcome, "a reason"))


def test_the_newest_settled_outcome_counts(record: Record) -> None:
    assert choose_record([record("wrong", "it differs"), record()]) == record()


@pytest.mark.parametrize("outcome", ["interrupted", "orchestrator-lost", "skipped"])
def test_a_job_that_did_not_end_by_itself_says_nothing_of_its_cell(record: Record, outcome: Outcome) -> None:
    assert choose_record([record(outcome, "a signal")]) is None
    assert choose_record([record(), record(outcome, "a signal")]) == record()


def test_outcomes_are_read_from_all_runs_of_a_mode(record: Record, make_run: MakeRun, tmp_path: Path) -> None:
    make_run("first", [record(), record("nonlinear", "twice the calls", task="backward")])
    found = read_findings(MODE, ["mlp", "rnn"], tmp_path / "runs")
    assert found.entries[FORWARD] == Entry(outcome="measured")
    assert found.entries[BACKWARD].outcome == "nonlinear"
    assert found.unsettled == ["mlp", "rnn"]
    make_run("second", [record("wrong", "it differs", task="backward")], at_s=60)
    found = read_findings(MODE, ["mlp", "rnn"], tmp_path / "runs")
    assert found.entries == {FORWARD: Entry(outcome="measured"), BACKWARD: Entry(outcome="wrong", reason="it differs")}
    assert found.unsettled == ["rnn"]


def test_without_a_run_nothing_is_known(tmp_path: Path) -> None:
    found = read_findings(MODE, ["mlp"], tmp_path / "runs")
    assert (found.entries, found.versions, found.unsettled) == ({}, {}, ["mlp"])


def test_versions_are_those_of_the_mode_its_exporter_and_python(record: Record, make_run: MakeRun) -> None:
    packages = {"onnxruntime": "1.32.0", "torch": "2.13.0", "numpy": "2.4.6", "pydantic": "2.10", "rich": "14"}
    found = EnvironmentRecord(interpreter="python", python="3.12.1", packages=packages, installed={}, freeze="ab")
    manifest = make_run("first", [record()], environments={"onnxruntime": found}).read_manifest()
    assert list_versions("onnxruntime:session", manifest) == {
        "python": "3.12.1",
        "onnxruntime": "1.32.0",
        "torch": "2.13.0",
        "numpy": "2.4.6",
    }


@pytest.mark.parametrize(
    ("reason", "tidy"),
    [
        ("it differs", "it differs"),
        ("in /usr/lib/python3/site-packages/a/b.py:3", "in b.py:3"),
        ("run `/srv/x/.venv/bin/python -m pip install a`", "run `python -m pip install a`"),
        ("an object at 0x7f00deadbeef\n  of two lines", "an object at … of two lines"),
        ("converting __step_761[config=1336577835357858124]", "converting __step_…[config=…]"),
        ("a ratio of 1/2 and a/b", "a ratio of 1/2 and a/b"),
    ],
)
def test_a_reason_has_one_line_and_nothing_of_the_machine(reason: str, tidy: str) -> None:
    assert tidy_reason(reason) == tidy


def test_a_long_reason_is_cut() -> None:
    assert tidy_reason("x" * LONGEST_REASON) == "x" * LONGEST_REASON
    assert tidy_reason("x" * (LONGEST_REASON + 1)) == "x" * LONGEST_REASON + " …"


# Real runs

TWICE = """\
import json, sys
from pathlib import Path
from tests.benchmarks.modes import try_mode
root, runs = Path(sys.argv[1]), []
for _ in range(2):
    found = try_mode("numpy:eager", ["mlp"], root, "current")
    runs.append(len([*root.glob("*/manifest.json")]))
told = {" ".join(cell): entry.outcome for cell, entry in found.entries.items()}
print(json.dumps([told, sorted(found.versions), found.unsettled, runs]))
"""


def run_program(program: str, *arguments: str) -> Sequence[str]:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_cells_run_once_and_settled_ones_not_again(tmp_path: Path) -> None:
    *jobs, last = run_program(TWICE, str(tmp_path))
    told, versions, unsettled, runs = json.loads(last)
    assert told == {"numpy:eager mlp forward": "measured", "numpy:eager mlp backward": "measured"}
    assert versions == ["numpy", "python"]
    assert unsettled == []
    assert {f"{cell} measured" for cell in told} <= {line.strip() for line in jobs}
    assert runs[0] == runs[1] > 0


def test_a_mode_without_its_packages_is_not_tried_and_the_reason_says_what_is_missing(tmp_path: Path) -> None:
    lacking = next((known for known in FRAMEWORKS if known.exporter and find_spec(known.package) is None), None)
    if lacking is None:
        pytest.skip("all frameworks are installed")
    mode = f"{lacking.name}:{lacking.modes[0].name}"
    found = try_mode(mode, ["mlp"], tmp_path, "current")
    entry = found.entries[CellName(mode, "mlp", "forward")]
    assert entry.outcome == NOT_TRIED
    assert f"install {lacking.requirement}" in entry.reason
    assert not [*tmp_path.glob("*/manifest.json")]
