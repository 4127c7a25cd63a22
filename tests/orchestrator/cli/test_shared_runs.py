"""Sweeps on several machines from the command line, with this machine as its own nodes."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.api import load
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.planning import cluster_file
from orchestrator.records.nodes import list_nodes
from orchestrator.records.store import Store, find_run, job_name
from schemas.job import JobSpec
from schemas.record import JobRecord
from tests.orchestrator.conftest import Said
from tests.orchestrator.export.publication.forging import replace_samples
from tests.orchestrator.quick import PROGRAM

Inside = Callable[..., Said]
ROOT = Path(__file__).resolve().parents[3]
SWEEP = """\
seed = 11

[axes]
frameworks = ["numpy", "synthetic:spin"]
workloads = ["synthetic"]
environment = ["current"]

[timing]
samples = 5
calls = 200
sample_ns = 1000000
warmup_min_ns = 1000000

[stop]
blocks = 4

[cluster]
on = "env {command}"
nodes = 2
patience = "30s"
"""


def run_program(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of two shares, `shared`, and the same on one machine, `local`."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "sweep.toml").write_text(SWEEP)
    (folder / "local.toml").write_text(SWEEP.partition("[cluster]")[0] + 'precision = 0.000001\nbudget = "200s"\n')
    shared = run_program(folder, "sweep", "sweep.toml", "--name", "shared")
    assert shared.returncode == ExitCode.FINE, shared.stderr
    (folder / "shared.out").write_text(shared.stdout)
    local = run_program(folder, "sweep", "local.toml", "--name", "local")
    assert local.returncode == ExitCode.FINE, local.stderr
    return folder


def open_run(folder: Path, name: str) -> Store:
    return find_run(folder / "runs", name)


def map_blocks(records: list[JobRecord]) -> dict[int, set[str]]:
    """Return the nodes that have measured each block."""
    found: dict[int, set[str]] = {}
    for record in records:
        assert record.placement is not None
        found.setdefault(record.spec.block, set()).add(record.placement.node)
    return found


def index_jobs(records: list[JobRecord]) -> dict[tuple[int, str], JobSpec]:
    return {(record.spec.block, record.spec.cell.id): record.spec for record in records}


@pytest.mark.long
def test_shares_measure_the_jobs_that_one_machine_would(swept: Path) -> None:
    shared, local = (index_jobs(open_run(swept, name).read_records()) for name in ("shared", "local"))
    assert shared.keys() == local.keys()
    for job, spec in shared.items():
        other = local[job]
        for name in ("position", "seed", "hash_seed", "padding_bytes", "thorough", "module", "variables", "deadline_s"):
            assert getattr(spec, name) == getattr(other, name), (job, name)


def test_each_record_names_its_node_and_each_block_is_of_one(swept: Path) -> None:
    records = open_run(swept, "shared").read_records()
    assert len(list_nodes(records)) == 1  # both shares ran on this machine
    assert sorted(map_blocks(records)) == [1, 2, 3, 4]
    shares = {(record.spec.block, record.placement.share) for record in records if record.placement}
    assert shares == {(1, 1), (2, 1), (3, 2), (4, 2)}
    assert {record.placement for record in open_run(swept, "local").read_records()} == {None}


def test_a_run_of_shares_is_a_run_like_any_other(swept: Path) -> None:
    found, local = load("shared", swept / "runs"), load("local", swept / "runs")
    assert [result.cell.id for result in found.cells] == [result.cell.id for result in local.cells]
    assert found.skipped == ()
    assert found.manifest.finished
    assert found.manifest.stopped == "all 4 blocks were run"
    assert "current" in found.manifest.environments


def test_a_user_sees_the_shares_and_then_the_usual_answer(swept: Path) -> None:
    said = (swept / "shared.out").read_text()
    assert re.search(r"\[1 of 2 blocks\] share [12] on \S+: measuring", said)
    assert "Ended: all 4 blocks were run." in said
    assert "unfinished" not in said


def test_the_sweep_file_of_the_run_repeats_it_on_the_same_machines(swept: Path, inside: Inside) -> None:
    said = inside("plan", str(open_run(swept, "shared").sweep_path), "--json")
    assert json.loads(said.out)["sweep"]["cluster"]["on"] == "env {command}"


def test_nothing_is_missing_from_a_whole_run(swept: Path) -> None:
    before = {path: path.read_bytes() for path in open_run(swept, "shared").list_record_files()}
    said = run_program(swept, "resume", "shared", "--no-report")
    assert said.returncode == ExitCode.FINE, said.stderr
    assert "Nothing is missing from this run." in said.stdout
    assert {path: path.read_bytes() for path in open_run(swept, "shared").list_record_files()} == before


@pytest.fixture
def copied(swept: Path, tmp_path: Path) -> Path:
    shutil.copytree(swept / "runs", tmp_path / "runs", symlinks=True)
    return tmp_path


def test_a_whole_run_needs_no_machines_to_be_shown_again(copied: Path) -> None:
    path = open_run(copied, "shared").folder / "manifest.json"
    path.write_text(path.read_text().replace('"on": "env {command}"', '"on": "no-such-program {command}"'))
    said = run_program(copied, "resume", "shared", "--no-report")
    assert said.returncode == ExitCode.FINE, said.stderr
    assert "Nothing is missing from this run." in said.stdout
    assert "no-such-program" in path.read_text()


@pytest.mark.long
def test_a_run_is_extended_by_blocks_that_are_new_shares(copied: Path) -> None:
    said = run_program(copied, "resume", "shared", "--blocks", "+4", "--no-report")
    assert said.returncode == ExitCode.FINE, said.stderr
    found = open_run(copied, "shared")
    assert sorted(map_blocks(found.read_records())) == list(range(1, 9))
    assert {each.share for record in found.read_records() if (each := record.placement)} == {1, 2, 3, 4}
    replace_samples(found)
    check_publication(copied, list_nodes(found.read_records()))


def check_publication(folder: Path, nodes: list[str]) -> None:
    """Check that a publication is admitted, and calls the nodes by numbers."""
    said = run_program(folder, "publish", "shared", "--to", "results")
    assert said.returncode == ExitCode.FINE, said.stderr
    admitted = run_program(folder, "admit", "results")
    assert admitted.returncode == ExitCode.FINE, admitted.stdout
    (manifest,) = (folder / "results").rglob("manifest.json")
    assert '"cluster": null' in manifest.read_text()
    texts = [gzip.decompress(path.read_bytes()).decode() for path in manifest.parent.rglob("*.json.gz")]
    assert all('"node": "node 1"' in text for text in texts)
    assert not [text for text in texts if any(f'"{node}"' in text for node in nodes)]


def test_a_run_is_not_extended_by_its_results(copied: Path) -> None:
    said = run_program(copied, "resume", "shared", "--precision", "0.001")
    assert said.returncode == ExitCode.USAGE
    assert "is extended by --blocks alone, such as --blocks +8" in said.stderr


def test_a_run_of_other_code_is_not_resumed(copied: Path) -> None:
    path = open_run(copied, "shared").folder / "manifest.json"
    path.write_text(re.sub(r'"code": "[0-9a-f]{64}"', f'"code": "{"0" * 64}"', path.read_text()))
    said = run_program(copied, "resume", "shared")
    assert said.returncode == ExitCode.USAGE
    assert "the source of workers/ or schemas/, or its sweep, has changed; begin a new run" in said.stderr


def test_a_damaged_record_is_copied_again_from_its_share(copied: Path) -> None:
    found = open_run(copied, "shared")
    path = found.list_record_files()[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    said = run_program(copied, "resume", "shared", "--no-report")
    assert f"warning: {path.name} was damaged and is set aside" in said.stdout
    assert path.read_bytes() == whole


@pytest.mark.long
def test_ctrl_c_ends_all_shares_and_resume_measures_the_rest(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP.replace("blocks = 4", "blocks = 8"))
    with subprocess.Popen(
        [*PROGRAM, "sweep", "sweep.toml"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as head:
        until = time.monotonic() + 100
        while not list(tmp_path.glob("runs/*/jobs/*.json")) and time.monotonic() < until:
            time.sleep(0.1)
        os.killpg(head.pid, signal.SIGINT)
        said, _ = head.communicate(timeout=100)
    assert head.returncode == ExitCode.INTERRUPTED
    assert "This run is unfinished. Continue it with: python -m orchestrator resume" in said
    assert run_program(tmp_path, "resume", "--no-report").returncode == ExitCode.FINE
    assert sorted(map_blocks(find_run(tmp_path / "runs", "latest").read_records())) == list(range(1, 9))


@pytest.mark.long
def test_the_log_of_a_failed_job_is_shown_although_another_machine_has_it(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP.replace("synthetic:spin", "synthetic:raise"))
    swept = run_program(tmp_path, "sweep", "sweep.toml", "--name", "failed", "--no-report")
    assert swept.returncode == ExitCode.SOME_JOBS_FAILED, swept.stderr
    failed = next(each for each in open_run(tmp_path, "failed").read_records() if each.outcome != "measured")
    shown = run_program(tmp_path, "show", "failed", job_name(failed.spec)).stdout
    assert "ArithmeticError: the synthetic worker was told to raise" in shown.partition("End of the log")[2]


# Plans and mistakes, which start nothing


@pytest.fixture
def no_user_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The place of the user's file, in a folder of the test."""
    monkeypatch.setattr(cluster_file, "find_cluster_file", lambda: tmp_path / "cluster.toml")
    yield tmp_path / "cluster.toml"
    assert not (tmp_path / "runs").exists()


QUICK = ("--frameworks", "numpy", "--workloads", "synthetic", "--env", "current")
SSH = "ssh {node} {command}"
NEITHER = "--nodes must be a number such as 4, or names such as n1,n2, not"


def test_a_plan_says_shares_nodes_and_hours(no_user_file: Path, inside: Inside) -> None:
    said = inside("plan", *QUICK, "--on", SSH, "--nodes", "a,b,c", "--blocks", "30")
    assert said.code == ExitCode.FINE, said.err
    line = " ".join(said.out.split())
    assert "30 blocks are 3 shares of 10 blocks on 3 nodes: about " in line
    assert " node-hours in all." in line


def test_a_plan_has_the_same_as_a_document(no_user_file: Path, inside: Inside) -> None:
    said = inside("plan", *QUICK, "--on", SSH, "--nodes", "a,b", "--blocks", "9", "--budget", "1h", "--json")
    found = json.loads(said.out)["shares"]
    assert (found["shares"], found["share_blocks"], found["nodes"]) == (2, 5, 2)
    assert found["total_s"] <= 2 * found["node_s"]
    assert json.loads(inside("plan", *QUICK, "--json").out)["shares"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--nodes", "4"), "--nodes is for --on; add --on slurm, or --on 'ssh {node} {command}'"),
        (("--on", "pbs"), "--on 'pbs' names no engine; write slurm, kubernetes, or a command"),
        (("--on", SSH), "needs the names of nodes: --nodes a,b,c"),
        (("--on", SSH, "--nodes", "-oProxyCommand=x"), f"{NEITHER} '-oProxyCommand=x'"),
        (("--on", SSH, "--nodes", "0"), f"{NEITHER} '0'"),
        (("--on", SSH, "--nodes", ""), f"{NEITHER} ''"),
        (("--on", SSH, "--nodes", "a,,b"), f"{NEITHER} 'a,,b'"),
        (("--on", "", "--nodes", "4"), "--nodes is for --on; add --on slurm"),
        (("--on", "kubernetes"), "--on kubernetes needs a number of nodes, such as --nodes 4"),
        (("--on", "kubernetes", "--nodes", "4"), "--on kubernetes needs program in [cluster]"),
        (("--on", SSH, "--nodes", "9" * 5000), f"{NEITHER} '9999"),
        (("--on", SSH, "--nodes", "a", "--profile"), "--profile is for one machine; leave it out"),
        (("--on", "no-such-program {command}"), "there is no program 'no-such-program'"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: Inside, options: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(cluster_file, "find_cluster_file", lambda: tmp_path / "cluster.toml")
    found = inside("sweep", *QUICK, *options)
    assert (found.code, len(found.err.splitlines())) == (ExitCode.USAGE, 1)
    assert said in found.err
    assert not (tmp_path / "runs").exists()


def test_settings_of_the_user_hold_for_sweeps_on_other_machines(no_user_file: Path, inside: Inside) -> None:
    no_user_file.write_text('home = "/scratch/me"\nshare_blocks = 2\n')
    shared = json.loads(inside("plan", *QUICK, "--on", SSH, "--nodes", "a", "--json").out)
    assert (shared["sweep"]["cluster"]["home"], shared["shares"]["share_blocks"]) == ("/scratch/me", 2)
    assert json.loads(inside("plan", *QUICK, "--json").out)["sweep"]["cluster"] is None


def test_settings_of_the_user_for_slurm_hold_for_slurm_alone(no_user_file: Path, inside: Inside) -> None:
    no_user_file.write_text('partition = "cpu"\ntime = "2h"\nsbatch = ["--qos=low"]\nhome = "/scratch/me"\n')
    shared = json.loads(inside("plan", *QUICK, "--on", SSH, "--nodes", "a", "--json").out)
    cluster = shared["sweep"]["cluster"]
    assert (cluster["partition"], cluster["time"], cluster["sbatch"]) == ("", None, [])
    assert cluster["home"] == "/scratch/me"
    file = no_user_file.with_name("mine.toml")
    file.write_text('[cluster]\npartition = "cpu"\n')
    said = inside("plan", str(file), *QUICK, "--on", SSH, "--nodes", "a")
    assert (said.code, "partition in [cluster] is for --on slurm" in said.err) == (ExitCode.USAGE, True)


def test_a_sweep_file_prevails_over_the_user_and_options_over_both(no_user_file: Path, inside: Inside) -> None:
    no_user_file.write_text('home = "/user"\nnodes = ["u"]\npatience = "9m"\n')
    file = no_user_file.with_name("mine.toml")
    file.write_text('[cluster]\nhome = "/file"\nnodes = ["f"]\n')
    cluster = json.loads(inside("plan", str(file), *QUICK, "--on", SSH, "--nodes", "o", "--json").out)["sweep"][
        "cluster"
    ]
    assert (cluster["home"], cluster["nodes"], cluster["patience"]) == ("/file", ["o"], 540.0)


def test_a_table_without_an_engine_leaves_the_sweep_on_this_machine(no_user_file: Path, inside: Inside) -> None:
    file = no_user_file.with_name("mine.toml")
    file.write_text('[cluster]\npartition = "cpu"\nnodes = 4\n')
    assert json.loads(inside("plan", str(file), *QUICK, "--json").out)["shares"] is None
    file.write_text("[cluster]\nnodes = 4\n")
    assert json.loads(inside("plan", str(file), *QUICK, "--json").out)["shares"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partitoin = 'x'\n", "cluster.toml:1: unknown key 'partitoin'; did you mean partition"),
        ("gpus = 0\n", "cluster.toml:1: gpus: "),
        ("nodes = []\n", "cluster.toml:1: nodes: should be a number or names; leave it out for all that Slurm offers"),
        ("time = '5'\n", "cluster.toml:1: time: "),
        ("sbatch = ['rm -rf']\n", "cluster.toml:1: sbatch.0: "),
        ("keep = ['A B']\n", "cluster.toml:1: keep.0: "),
        ("= 1\n", "cluster.toml: not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_of_the_user_names_its_line(
    no_user_file: Path, inside: Inside, text: str, said: str
) -> None:
    no_user_file.write_text(text)
    found = inside("plan", *QUICK, "--on", SSH, "--nodes", "a")
    assert (found.code, said in found.err) == (ExitCode.USAGE, True), found.err


def test_only_a_run_for_kubernetes_has_a_job(copied: Path, inside: Inside) -> None:
    found = inside("cluster-job", "shared", "--image", "i", "--claim", "c")
    assert (found.code, found.out) == (ExitCode.USAGE, "")
    assert "is not for Kubernetes; begin one with: sweep --on kubernetes --nodes 4" in found.err


@pytest.mark.long
def test_a_run_for_kubernetes_waits_for_its_job_and_takes_what_pods_write(tmp_path: Path) -> None:
    text = SWEEP.replace('on = "env {command}"', 'on = "kubernetes"').replace("blocks = 4", "blocks = 3")
    program = f'program = "env PYTHONPATH={ROOT} {sys.executable} -m orchestrator"\nshare_blocks = 1\n'
    (tmp_path / "sweep.toml").write_text(text + program)
    with subprocess.Popen([*PROGRAM, "sweep", "sweep.toml", "--no-report"], cwd=tmp_path, stdout=-3) as head:
        until = time.monotonic() + 60
        while len(list(tmp_path.glob("runs/*/shares/*/spec.json"))) < 3 and time.monotonic() < until:
            time.sleep(0.1)
        said = run_program(tmp_path, "cluster-job", "latest", "--image", "plumbline:1", "--claim", "runs")
        job = json.loads(said.stdout)
        assert (job["spec"]["completions"], job["spec"]["completionMode"]) == (3, "Indexed")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        for index in range(3):
            variables = dict(os.environ) | {"JOB_COMPLETION_INDEX": str(index), "NODE_NAME": f"pool-{index}"}
            subprocess.run(container["command"], env=variables, check=True, timeout=100)
        assert head.wait(60) == ExitCode.FINE
    records = find_run(tmp_path / "runs", "latest").read_records()
    assert map_blocks(records) == {1: {"pool-0"}, 2: {"pool-1"}, 3: {"pool-2"}}
    again = run_program(tmp_path, "cluster-job", "latest", "--image", "i", "--claim", "c")
    assert "has no share that waits; hand out what is missing with `resume`" in again.stderr
