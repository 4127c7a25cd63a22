"""Sweeps on a real Slurm with two nodes, which are this machine: the same jobs and the same table as on one machine."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.analysis.run import Run
from orchestrator.api import load
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.records.nodes import list_nodes
from orchestrator.records.store import find_run
from schemas.record import JobRecord
from tests.faults.slurm_cluster import SlurmCluster, explain_missing, run_slurm
from tests.orchestrator.quick import PROGRAM

ROOT = Path(__file__).resolve().parents[5]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(explain_missing()), reason=explain_missing() or "Slurm is here"),
    pytest.mark.timeout(1200),
]
TABLES = """
[stop]
blocks = {blocks}
budget = "15m"
precision = 0.00001

[timing]
samples = 20
sample_ns = 1000000
warmup_min_ns = 100000000
warmup_max_ns = 500000000
"""
CLUSTER = """
[cluster]
on = "slurm"
nodes = ["n1", "n2"]
share_blocks = {share_blocks}
patience = "30s"
home = "{home}"
keep = ["PLUMBLINE_LOCKS", "OMP_PROC_BIND"]
{more}
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    with run_slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def sweep(
    folder: Path, cluster: SlurmCluster, name: str, frameworks: str, blocks: int, tables: str = "", **variables: str
) -> "subprocess.CompletedProcess[str]":
    axes = f'seed = 5\nname = "{name}"\n\n[axes]\nframeworks = [{frameworks}]\nenvironment = ["current"]\n'
    (folder / f"{name}.toml").write_text(axes + TABLES.format(blocks=blocks) + tables)
    return subprocess.run(
        [*PROGRAM, "sweep", f"{name}.toml", "--no-report"],
        cwd=folder,
        env=cluster.variables | variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def a_table(folder: Path, share_blocks: int = 3, more: str = "") -> str:
    return CLUSTER.format(share_blocks=share_blocks, home=folder / "home", more=more)


def read_records(folder: Path, name: str) -> list[JobRecord]:
    return find_run(folder / "runs", name).read_records()


def list_jobs(records: list[JobRecord]) -> set[tuple[object, ...]]:
    """Return what decides each job, by block and cell."""
    return {
        (spec.block, spec.cell.id, spec.position, spec.seed, spec.hash_seed, spec.padding_bytes, spec.start)
        for spec in (record.spec for record in records)
        if spec.attempt == 1
    }


def list_ratios(run: Run) -> dict[str, tuple[float, float]]:
    found = [comparison for comparison in run.comparisons if not comparison.cell.endswith("(A/A)")]
    return {each.cell: (each.ratio.low, each.ratio.high) for each in found}


def test_shares_of_torch_and_tensorflow_make_the_table_of_one_machine(tmp_path: Path, slurm: SlurmCluster) -> None:
    frameworks = '"torch:eager", "tensorflow:function"'
    shared = sweep(tmp_path, slurm, "shared", frameworks, 6, a_table(tmp_path))
    assert shared.returncode == ExitCode.FINE, shared.stdout + shared.stderr
    local = sweep(tmp_path, slurm, "local", frameworks, 6)
    assert local.returncode == ExitCode.FINE, local.stdout + local.stderr
    assert list_jobs(read_records(tmp_path, "shared")) == list_jobs(read_records(tmp_path, "local"))
    assert sorted(list_nodes(read_records(tmp_path, "shared"))) == ["n1", "n2"]
    runs = [load(name, tmp_path / "runs") for name in ("shared", "local")]
    one, other = ([(each.cell.id, each.outcome) for each in run.cells] for run in runs)
    assert one == other
    ratios = [list_ratios(run) for run in runs]
    assert ratios[0].keys() == ratios[1].keys()
    for cell, (low, high) in ratios[0].items():
        assert low <= ratios[1][cell][1], (cell, ratios)
        assert high >= ratios[1][cell][0], (cell, ratios)


def test_variables_of_the_site_reach_a_worker_only_if_they_are_asked_for(tmp_path: Path, slurm: SlurmCluster) -> None:
    site = {"OMP_NUM_THREADS": "7", "OMP_PROC_BIND": "true", "MKL_NUM_THREADS": "7"}
    done = sweep(tmp_path, slurm, "variables", '"numpy"', 2, a_table(tmp_path, 1), **site)
    assert done.returncode == ExitCode.FINE, done.stdout + done.stderr
    assert {tuple(record.host.variables.items()) for record in read_records(tmp_path, "variables")} == {
        (("OMP_PROC_BIND", "true"),)
    }


def test_nodes_of_two_types_are_told_apart_and_never_pooled(tmp_path: Path, slurm: SlurmCluster) -> None:
    double = ROOT / "tests" / "doubles" / "typed_program.py"
    more = f'program = "env PYTHONPATH={ROOT} {sys.executable} {double}"'
    done = sweep(tmp_path, slurm, "types", '"numpy"', 4, a_table(tmp_path, 2, more))
    assert done.returncode == ExitCode.FINE, done.stdout + done.stderr
    records = read_records(tmp_path, "types")
    types = {(record.host.cpu, record.placement.node) for record in records if record.placement}
    assert types == {("CPU of n1", "n1"), ("CPU of n2", "n2")}
    found = load("types", tmp_path / "runs")
    by_type = [{record.host.cpu for record in run.records} for run in (found, *found.others)]
    assert sorted(by_type, key=str) == [{"CPU of n1"}, {"CPU of n2"}]
    assert sum(len(run.records) for run in (found, *found.others)) == len(records)
    assert found.skipped == ()


def test_a_partition_that_does_not_exist_is_named_and_leaves_nothing(tmp_path: Path, slurm: SlurmCluster) -> None:
    table = a_table(tmp_path, more='partition = "nowhere"').replace('nodes = ["n1", "n2"]', "")
    done = sweep(tmp_path, slurm, "nowhere", '"numpy"', 2, table)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr == "error: Slurm offers no node in nowhere; see sinfo\n"
    assert not (tmp_path / "runs").exists()


def test_slurm_chooses_no_node_on_which_shares_end_without_a_block(tmp_path: Path, slurm: SlurmCluster) -> None:
    program = tmp_path / "program.sh"
    program.write_text(f'[ "$SLURMD_NODENAME" = n1 ] && exit 3\nPYTHONPATH={ROOT} exec {" ".join(PROGRAM)} "$@"\n')
    table = a_table(tmp_path, 1, f'program = "sh {program}"').replace('nodes = ["n1", "n2"]', "nodes = 2")
    done = sweep(tmp_path, slurm, "bad", '"numpy"', 6, table)
    assert done.returncode == ExitCode.SOME_JOBS_FAILED, done.stdout + done.stderr
    assert "warning: n1 got no more shares: 2 attempts in a row on n1 ended without a block" in done.stdout
    records = read_records(tmp_path, "bad")
    assert list_nodes(records) == ["n2"]
    # Two shares of a block each were lost on n1, and the other four went to n2.
    assert len({record.spec.block for record in records}) == 4


def test_a_share_ends_with_its_time_limit_and_its_closed_blocks_count(tmp_path: Path, slurm: SlurmCluster) -> None:
    table = a_table(tmp_path, 100, 'time = "1m"').replace('nodes = ["n1", "n2"]', "nodes = 1")
    done = sweep(tmp_path, slurm, "limited", '"numpy"', 100, table)
    assert done.returncode == ExitCode.SOME_JOBS_FAILED, done.stdout + done.stderr
    assert "warning: share 1, attempt 1 on n" in done.stdout
    assert "This run is unfinished. Continue it with: python -m orchestrator resume" in done.stdout
    blocks = {record.spec.block for record in read_records(tmp_path, "limited")}
    assert blocks == set(range(1, max(blocks) + 1))
    assert 1 <= max(blocks) < 100


def test_all_processes_of_a_share_are_gone_after_scancel(tmp_path: Path, slurm: SlurmCluster) -> None:
    (tmp_path / "long.toml").write_text(
        f'[axes]\nframeworks = ["numpy"]\nenvironment = ["current"]\n{TABLES.format(blocks=60)}{a_table(tmp_path, 30)}'
    )
    head = subprocess.Popen(
        [*PROGRAM, "sweep", "long.toml", "--no-report"], cwd=tmp_path, env=slurm.variables, stdout=subprocess.DEVNULL
    )
    try:
        while head.poll() is None and not list(tmp_path.glob("runs/*/jobs/*.json")):
            time.sleep(0.05)  # a busy loop would take a core from the shares
        head.terminate()
        assert head.wait(60) == ExitCode.INTERRUPTED
    finally:
        head.kill()
        head.wait()
    # Slurm calls a job completing until its daemons have seen the last of its processes go. No other state is left.
    assert {job.rpartition(" ")[2] for job in slurm.list_jobs()} <= {"COMPLETING"}
    until = time.monotonic() + 150
    while slurm.list_jobs() and time.monotonic() < until:
        time.sleep(0.5)
    assert slurm.list_jobs() == []
