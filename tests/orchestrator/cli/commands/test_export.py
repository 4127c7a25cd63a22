"""Commands that hand a run on, as their user meets them: export, schema, and a rerun job."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.cli.commands.conftest import Swept
from tests.orchestrator.conftest import Said
from tests.orchestrator.quick import PROGRAM, QUICK

Inside = Callable[..., Said]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compare", "base", "nobody"], "no run matches 'nobody'"),
        (["compare", "base", "base"], "base and base are one run"),
        (["compare", "base", "other"], "no cell in common"),
        (["compare", "base", "base@here"], "unknown environment of 20250101-120100-base 'here'; valid: current"),
        (["compare", "base", "other", "--fail-on", "slow"], "--fail-on 'slow': should be a metric and a share"),
        (["compare", "base", "other", "--fail-on", "slowr=1%"], "did you mean slower?"),
        (["compare", "base", "head", "--unchanged", "torch"], "--unchanged torch: fewer than 2"),
        (["compare", "base", "head", "--markdown", "--json"], "--markdown and --json exclude each other"),
        (["export", "base", "--format", "cvs"], "unknown format 'cvs'; did you mean csv"),
        (["export", "base", "--format", "pyperf", "--per", "job"], "--per applies to csv"),
        (["export", "base", "--output", "nowhere/x.csv"], "cannot write nowhere/x.csv: No such file"),
        (["schema", "swep"], "did you mean sweep?"),
        (["show", "base", "--repeat"], "--repeat is for one job"),
        (["show", "base", "001-numpy", "--details"], "--details is for a whole run"),
        (["show", "base", "001-numpy", "--repeat"], "several jobs match"),
        (["show", "other", "001-openvino", "--repeat"], "was never started: because it was unsupported"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_nothing_is_made(
    inside: Inside,
    tmp_path: Path,
    swept: Swept,
    make_run: Callable[..., Store],
    make_record: Callable[..., JobRecord],
    make_cell: Callable[..., Cell],
    arguments: list[str],
    sentence: str,
) -> None:
    swept("base")
    swept("head", seed=2)
    make_run("other", [make_record(make_cell("openvino:compiled"), outcome="unsupported")])
    before = sorted(tmp_path.rglob("*"))
    said = inside(*arguments)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    assert sentence in line
    assert sorted(tmp_path.rglob("*")) == before


def test_a_schema_is_printed_as_it_is_committed(inside: Inside) -> None:
    committed = Path(__file__).resolve().parents[4].joinpath("schemas", "json", "sweep.schema.json").read_text()
    assert inside("schema").out == committed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a real sweep of one block, a cell and its clone, in a new folder."""
    folder = tmp_path_factory.mktemp("handing")
    (folder / "quick.toml").write_text(QUICK)
    program(folder, "sweep", "quick.toml", "--json")
    return folder


def program(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *arguments], cwd=folder, capture_output=True, check=True, timeout=120)


def test_an_export_goes_to_standard_output_or_whole_to_a_file(folder: Path) -> None:
    out = program(folder, "export", "latest", "--format", "jsonl", "--per", "job").stdout
    assert [json.loads(line)["outcome"] for line in out.splitlines()] == ["measured", "measured"]
    program(folder, "export", "latest", "--format", "parquet", "--output", "cells.parquet")
    assert (folder / "cells.parquet").read_bytes()[:4] == b"PAR1"
    assert sorted(path.name for path in folder.iterdir()) == ["cells.parquet", "quick.toml", "runs"]


@pytest.mark.long
def test_pyperf_accepts_what_a_real_run_exports(folder: Path) -> None:
    program(folder, "export", "latest", "--format", "pyperf", "--output", "run.json")
    done = subprocess.run(
        [sys.executable, "-m", "pyperf", "compare_to", "run.json", "run.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "run.json").unlink()
    assert (done.returncode, done.stderr) == (0, "")
    assert "numpy:eager, synthetic backward" in done.stdout


@pytest.mark.long
def test_a_job_run_again_is_shown_beside_the_old_one_and_the_run_stays_as_it_is(folder: Path) -> None:
    (run,) = (folder / "runs").iterdir()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    (name,) = [path.stem for path in run.glob("jobs/*.json") if '"replica": 0' in path.read_text()]
    said = json.loads(program(folder, "show", "latest", name, "--repeat", "--json").stdout)
    then, now = (JobRecord.model_validate(said[each]) for each in ("then", "now"))
    assert then.spec == now.spec
    assert then.outside is not None
    assert now.outside is not None
    assert now.outside.started > then.outside.started
    assert now.outcome == then.outcome
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".parquet") == ["quick.toml", "runs"]
