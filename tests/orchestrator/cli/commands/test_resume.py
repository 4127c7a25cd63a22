"""The command `resume` where it extends a run: through the real program, on a sweep of seconds."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import Said
from tests.orchestrator.quick import PROGRAM, TWO_MODES

Inside = Callable[..., Said]

QUICK = f"seed = 3\n\n{TWO_MODES}\n[stop]\nblocks = 5\n"


def run(folder: Path, *arguments: str) -> Said:
    done = subprocess.run([*PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder of a sweep that has one block too few for a verdict."""
    folder = tmp_path_factory.mktemp("extended")
    (folder / "said").write_text(sweep_in(folder))
    return folder


def sweep_in(folder: Path) -> str:
    """Make a sweep that has one block too few for a verdict; return what it said."""
    (folder / "quick.toml").write_text(QUICK)
    said = run(folder, "sweep", "quick.toml", "--name", "mine", "--no-report")
    assert "Ended: all 5 blocks were run." in said.out, said
    return said.out


@pytest.fixture
def folder(swept: Path, tmp_path: Path) -> Path:
    shutil.copytree(swept, tmp_path, dirs_exist_ok=True)
    return tmp_path


def read_manifest(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("runs/*/manifest.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.long
def test_a_sweep_says_at_its_start_that_its_blocks_are_too_few_for_a_verdict(swept: Path) -> None:
    start = (swept / "said").read_text().partition("\n[1 of ")[0]
    assert "1 pair needs 6 blocks for a verdict, about " in start
    assert "this sweep allows 5: no claim is possible." in start


@pytest.mark.measures
@pytest.mark.long
def test_the_command_that_a_run_names_as_its_price_brings_the_verdict(tmp_path: Path) -> None:
    # Where a hypervisor takes the cores away, no difference is certain: some other minute is quieter.
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        said = " ".join(sweep_in(folder).split())
        found = re.search(
            r"1 more block proves it, about \d+ s: python -m orchestrator (resume \S+ --blocks \+1)\.", said
        )
        if found is not None and not resume_disturbed(folder, found[1]):
            return
        time.sleep(2.0 * attempt)
    raise AssertionError(f"no run brought a verdict: {said}")


def resume_disturbed(folder: Path, command: str) -> bool:
    """Run the command of a price, and check what it brings; return whether a disturbance kept the verdict back."""
    before = {path.name: path.read_bytes() for path in folder.glob("runs/*/jobs/*.json")}
    done = run(folder, *command.split(), "--json")
    assert done.code == ExitCode.FINE, done.err
    document = json.loads(done.out)
    assert document["manifest"]["stopped"] == "all 6 blocks were run"
    assert document["manifest"]["mixed"] == []
    after = {path.name: path.read_bytes() for path in folder.glob("runs/*/jobs/*.json")}
    assert before.items() <= after.items()
    assert {name[:3] for name in after.keys() - before.keys()} == {"006"}
    (comparison,) = document["groups"][0]["comparisons"]
    if comparison["verdict"] == "UNRESOLVED" and document["prices"][0]["disturbed"]:
        return True
    assert comparison["verdict"] == "FASTER"
    assert document["prices"] == []
    return False


@pytest.mark.long
def test_the_manifest_keeps_the_history_and_the_identity(folder: Path) -> None:
    before = read_manifest(folder)
    assert run(folder, "resume", "mine", "--blocks", "6", "--no-report").code == ExitCode.FINE
    after = read_manifest(folder)
    assert after["identity"] == before["identity"]
    assert after["sweep"]["stop"]["blocks"] == 6
    (extension,) = after["extensions"]
    assert extension["stop"] == before["sweep"]["stop"]
    assert (extension["blocks"], extension["least_blocks"], after["finished"]) == (5, 6, True)
    again = run(folder, "resume", "mine", "--no-report")
    assert "Nothing is missing from this run." in again.out


@pytest.mark.long
def test_a_run_is_not_resumed_on_another_type_of_machine_whatever_is_forced(folder: Path) -> None:
    (path,) = folder.glob("runs/*/manifest.json")
    begun = read_manifest(folder)
    begun["host"]["l3_bytes"] = (begun["host"]["l3_bytes"] or 0) + 1
    path.write_text(json.dumps(begun))
    said = run(folder, "resume", "mine", "--blocks", "+1", "--force")
    assert said.code == ExitCode.USAGE
    assert re.search(
        r"cannot be resumed here: it was begun on .+ \(type .{8}\), and this is .+ \(type .{8}\); ", said.err
    )
    assert said.err.count("\n") == 1
    assert read_manifest(folder) == begun


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--blocks", "+40"], "would be more than 32, the most for which its intervals are valid"),
        (["--blocks", "5"], "has 5 blocks already"),
        (["--blocks", "x"], "--blocks must be a number such as 12, or +2 for two more"),
        (["--budget", "5"], "5 of what? write 5m or 5s"),
        (["--precision", "0"], "precision: input should be greater than 0"),
    ],
)
def test_what_is_no_extension_changes_nothing(folder: Path, arguments: list[str], sentence: str) -> None:
    before = read_manifest(folder)
    said = run(folder, "resume", "mine", *arguments)
    assert said.code == ExitCode.USAGE
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert read_manifest(folder) == before


def test_a_smaller_budget_than_was_spent_is_refused(
    inside: Inside,
    make_run: Callable[..., Store],
    make_records: Callable[..., list[JobRecord]],
    make_cell: Callable[..., Cell],
) -> None:
    times = [(make_cell("numpy:eager"), 1000.0), (make_cell("synthetic:spin"), 3000.0)]
    make_run("base", make_records(times, blocks=4))
    said = inside("resume", "base", "--budget", "10s")
    assert said.code == ExitCode.USAGE
    assert "has taken 16 s of its budget of 10 s; add --budget +5m" in said.err


@pytest.mark.parametrize(
    ("command", "option"),
    [("sweep", "--budget"), ("plan", "--budget"), ("sweep", "--deadline"), ("plan", "--deadline")],
)
def test_a_duration_without_a_unit_is_refused_and_nothing_created(
    inside: Inside, tmp_path: Path, command: str, option: str
) -> None:
    said = inside(command, option, "5")
    assert said.code == ExitCode.USAGE
    assert "5 of what? write 5m or 5s" in said.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.long
def test_show_answers_for_a_number_of_calls_though_no_verdict_was_reached(folder: Path) -> None:
    said = run(folder, "show", "mine", "--calls", "500")
    words = " ".join(said.out.split())
    assert said.code == ExitCode.FINE
    assert "For 500 calls from the finished model, compiling included, synthetic:" in words
    assert "For 500 calls with the import, synthetic:" in words
    assert "this run cannot tell it apart from" in words
    document = json.loads(run(folder, "show", "mine", "--calls", "500", "--json").out)
    assert [(each["calls"], each["start"]) for each in document["for_calls"]] == [(500, "model"), (500, "import")]
    assert json.loads(run(folder, "show", "mine", "--json").out)["for_calls"] is None


@pytest.mark.parametrize("calls", ["0", "-1", "many"])
def test_a_number_of_calls_is_a_number_of_calls(inside: Inside, calls: str) -> None:
    for command in ("show", "resume", "sweep", "plan"):
        assert inside(command, "--calls", calls).code == ExitCode.USAGE
