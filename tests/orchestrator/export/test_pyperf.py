"""pyperf reads what is exported for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.analysis.run import Run
from orchestrator.export import convert_run
from tests.orchestrator.export.documents import MEASURED, document, labels


def pyperf(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "pyperf", *arguments], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_pyperf_compares_two_of_our_runs(tmp_path: Path, run: Run, other: Run) -> None:
    for name, exported in (("one", run), ("other", other)):
        (tmp_path / f"{name}.json").write_bytes(convert_run(exported, "pyperf", None))
    said = pyperf("compare_to", str(tmp_path / "one.json"), str(tmp_path / "other.json"))
    assert "2.00x slower" in said
    assert "ERROR" not in said
    assert "Ignored benchmarks (2)" in said


def test_pyperf_reads_our_processes_samples_and_warm_ups(tmp_path: Path, run: Run) -> None:
    (tmp_path / "run.json").write_bytes(convert_run(run, "pyperf", None))
    said = pyperf("stats", str(tmp_path / "run.json"))
    assert said.count("Number of run with values: 8") == 2
    assert said.count("Number of run with values: 7") == 1
    assert "Number of warmup per run: 2" in said
    assert "Minimum:" in said
    assert (
        labels([line for line in pyperf("check", str(tmp_path / "run.json")).splitlines() if ", mlp " in line])
        == MEASURED
    )
    metadata = pyperf("metadata", str(tmp_path / "run.json"))
    assert "python_hash_seed: 0" in metadata
    assert f"machine_type: {run.machine_type.content_hash}" in metadata


def test_a_value_of_pyperf_is_seconds_per_call(run: Run) -> None:
    first = document(run, "pyperf")["benchmarks"][0]
    values = [value for process in first["runs"] for value in process["values"]]
    assert min(values) * 1e9 == pytest.approx(1000, rel=0.02)
    assert first["runs"][0]["warmups"][0][1] * 1e9 == pytest.approx(9000, rel=0.02)


def test_pyperf_does_not_compare_a_mixed_run_with_a_whole_one(tmp_path: Path, run: Run, mixed: Run) -> None:
    for name, exported in (("whole", run), ("mixed", mixed)):
        (tmp_path / f"{name}.json").write_bytes(convert_run(exported, "pyperf", None))
    names = [line for line in pyperf("check", str(tmp_path / "mixed.json")).splitlines() if ", MIXED: mlp " in line]
    assert labels(names) == MEASURED
    done = subprocess.run(
        [sys.executable, "-m", "pyperf", "compare_to", "whole.json", "mixed.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Benchmark suites have no benchmark in common" in done.stdout + done.stderr
