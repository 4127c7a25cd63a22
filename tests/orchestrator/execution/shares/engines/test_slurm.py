"""Slurm is asked and ordered as it has to be, by doubles of its programs; its answers are understood."""

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.shares import EngineSilent, EngineState, Place
from orchestrator.execution.shares.engines.slurm import SlurmEngine, name_array, parse_jobs, to_state
from orchestrator.records.share_store import ShareStore
from schemas.cluster import Cluster
from tests.orchestrator.execution.shares.conftest import Node

MakeNode = Callable[..., Node]
DOUBLE = """\
#!/bin/sh
printf '%s\\n' "$@" >> "$0.arguments"
echo "--" >> "$0.arguments"
case "$0" in */sbatch) cat > "$0.script";; esac
cat "$0.output" 2>/dev/null
[ -f "$0.errors" ] && cat "$0.errors" >&2 && exit 1
exit 0
"""


class Doubles:
    """Programs in place of Slurm's, which note what they were called with, and say what a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("sbatch", "squeue", "scancel", "sinfo"):
            path = folder / name
            path.write_text(DOUBLE)
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def say(self, name: str, output: str = "", errors: str = "") -> None:
        (self.folder / f"{name}.output").write_text(output)
        if errors:
            (self.folder / f"{name}.errors").write_text(errors)

    def read_calls(self, name: str) -> list[list[str]]:
        path = self.folder / f"{name}.arguments"
        calls = path.read_text().split("--\n")[:-1] if path.exists() else []
        return [call.splitlines() for call in calls]

    @property
    def script(self) -> str:
        return (self.folder / "sbatch.script").read_text()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doubles:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Doubles(folder)


def start(engine: SlurmEngine, *stores: ShareStore, slots: int = 2) -> None:
    engine.start_attempts(stores, Place("", slots))


def list_options(call: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in call)}


def test_shares_are_one_array_of_exclusive_jobs_that_are_never_requeued(slurm: Doubles, make_node: MakeNode) -> None:
    start(SlurmEngine(Cluster(on="slurm")), make_node(share=1).store, make_node(share=2).store, slots=5)
    (call,) = slurm.read_calls("sbatch")
    options = list_options(call)
    assert options["--array"] == "1,2%5"
    assert {"--exclusive", "--no-requeue", "--nodes", "--ntasks", "--mem"} <= options.keys()
    assert "--partition" not in options
    assert options["--job-name"] == name_array(make_node(share=1).store)


def test_settings_of_the_cluster_become_options(slurm: Doubles, make_node: MakeNode) -> None:
    cluster = Cluster.model_validate(
        {
            "on": "slurm",
            "partition": "gpu",
            "constraint": "a100",
            "account": "lab",
            "gpus": 2,
            "time": "90m",
            "keep": ["OMP_PROC_BIND"],
            "sbatch": ["--qos=low", "--reservation=mine"],
        }
    )
    start(SlurmEngine(cluster), make_node().store)
    options = list_options(slurm.read_calls("sbatch")[0])
    named = [options[name] for name in ("--partition", "--constraint", "--account", "--gres", "--time")]
    assert named == ["gpu", "a100", "lab", "gpu:2", "90"]
    assert "OMP_PROC_BIND" in options["--export"].split(",")
    assert slurm.script.splitlines()[1:3] == ["#SBATCH --qos=low", "#SBATCH --reservation=mine"]


@pytest.mark.parametrize(
    ("sbatch", "expected"),
    [
        ([], "n2,n7"),
        (["--exclude=m[1-3]"], "m[1-3],n2,n7"),
        (["--qos=low", "-x m1", "--exclude m2,m3"], "m1,m2,m3,n2,n7"),
    ],
)
def test_excluded_nodes_are_not_chosen_and_neither_are_those_of_the_user(
    slurm: Doubles, make_node: MakeNode, sbatch: list[str], expected: str
) -> None:
    engine, store = SlurmEngine(Cluster(on="slurm", sbatch=tuple(sbatch))), make_node().store
    engine.start_attempts([store], Place("", 2, excluded=frozenset({"n7", "n2"})))
    engine.start_attempts([store], Place("", 2))
    first, second = slurm.read_calls("sbatch")
    assert list_options(first)["--exclude"] == expected
    # Without nodes to exclude, those of the user stay in the script alone.
    assert "--exclude" not in list_options(second)


def test_the_environment_of_the_head_stays_there(slurm: Doubles, make_node: MakeNode) -> None:
    start(SlurmEngine(Cluster(on="slurm")), make_node().store)
    exported = list_options(slurm.read_calls("sbatch")[0])["--export"].split(",")
    assert "ALL" not in exported
    assert {"PATH", "HOME"} <= {*exported}
    assert not [name for name in exported if name.startswith(("OMP", "SLURM", "PYTHON"))]


def test_attempts_of_one_number_are_one_array(slurm: Doubles, make_node: MakeNode) -> None:
    nodes = [make_node(share=1, attempt=2), make_node(share=2, attempt=1), make_node(share=5, attempt=2)]
    start(SlurmEngine(Cluster(on="slurm")), *(node.store for node in nodes))
    arrays = [list_options(call)["--array"] for call in slurm.read_calls("sbatch")]
    assert arrays == ["1,5%2", "2%2"]


def test_an_index_stays_below_the_most_that_slurm_takes(slurm: Doubles, make_node: MakeNode) -> None:
    nodes = [make_node(share=number) for number in (999, 1000, 1001, 2500)]
    start(SlurmEngine(Cluster(on="slurm")), *(node.store for node in nodes))
    calls = [list_options(call) for call in slurm.read_calls("sbatch")]
    assert [call["--array"] for call in calls] == ["999%2", "0,1%2", "500%2"]
    assert len({call["--job-name"] for call in calls}) == 3


@pytest.mark.parametrize(("share", "index"), [(3, 3), (1001, 1), (2500, 500)])
def test_the_script_finds_the_request_of_its_index(
    slurm: Doubles, make_node: MakeNode, tmp_path: Path, share: int, index: int
) -> None:
    program = tmp_path / "bin" / "program"
    program.write_text(f'#!/bin/sh\necho "$@"; cat > {tmp_path}/received\n')
    program.chmod(0o700)
    node = make_node(share=share)
    start(SlurmEngine(Cluster(on="slurm", program=str(program))), node.store)
    variables = dict(os.environ) | {"SLURM_ARRAY_TASK_ID": str(index), "SLURMD_NODENAME": "n7"}
    subprocess.run(["sh", "-c", slurm.script], env=variables, check=True, timeout=60)
    assert json.loads((tmp_path / "received").read_text())["share"] == share
    assert node.store.read_last_line() == "share --node n7"


def answer(slurm: Doubles, *jobs: tuple[ShareStore, str, str, str]) -> None:
    lines = [
        f"77|{store.number[0] % 1000}|{name_array(store)}|{state}|{node}|{reason}"
        for store, state, node, reason in jobs
    ]
    slurm.say("squeue", "\n".join(lines) + "\n")


def test_the_states_of_all_attempts_are_one_question(slurm: Doubles, make_node: MakeNode) -> None:
    stores = [make_node(share=number).store for number in range(1, 6)]
    answer(
        slurm,
        (stores[0], "RUNNING", "n1", "None"),
        (stores[1], "PENDING", "", "Resources"),
        (stores[2], "NODE_FAIL", "n2", "None"),
        (stores[3], "COMPLETING", "n2", "None"),
    )
    found = SlurmEngine(Cluster(on="slurm")).ask_states(stores)
    assert len(slurm.read_calls("squeue")) == 1
    assert [found[number, 1].name for number in range(1, 6)] == ["running", "waiting", "gone", "running", "gone"]
    assert (found[1, 1].node, found[2, 1].reason) == ("n1", "Resources")
    assert (found[3, 1].reason, found[5, 1].reason) == ("Slurm: node fail", "Slurm does not know it")


def test_an_attempt_is_not_taken_for_another_of_the_same_share(slurm: Doubles, make_node: MakeNode) -> None:
    first, second = make_node(attempt=1).store, make_node(attempt=2).store
    answer(slurm, (first, "COMPLETED", "n1", "None"), (second, "RUNNING", "n2", "None"))
    found = SlurmEngine(Cluster(on="slurm")).ask_states([first, second])
    assert (found[1, 1].name, found[1, 2].name) == ("gone", "running")


def test_a_slurm_that_does_not_answer_leaves_states_unknown(slurm: Doubles, make_node: MakeNode) -> None:
    slurm.say("squeue", errors="slurm_load_jobs error: Unable to contact slurm controller")
    found = SlurmEngine(Cluster(on="slurm")).ask_states([make_node().store])
    assert found[1, 1].name == "unknown"
    assert "Unable to contact" in found[1, 1].reason


def test_without_attempts_nobody_is_asked(slurm: Doubles) -> None:
    assert SlurmEngine(Cluster(on="slurm")).ask_states([]) == {}
    assert slurm.read_calls("squeue") == []


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("PENDING", "waiting"),
        ("CONFIGURING", "waiting"),
        ("RUNNING", "running"),
        ("SUSPENDED", "running"),
        ("COMPLETED", "gone"),
        ("TIMEOUT", "gone"),
        ("CANCELLED", "gone"),
        ("PREEMPTED", "gone"),
        ("OUT_OF_MEMORY", "gone"),
        ("SOMETHING_NEW", "gone"),
    ],
)
def test_every_state_means_that_it_waits_runs_or_is_gone(state: str, name: str) -> None:
    (job,) = parse_jobs(f"7|1|plumbline-x-0-1|{state}|n1|None\n")
    assert to_state(job).name == name


def test_a_job_that_slurm_ends_has_the_reason_while_its_processes_end() -> None:
    (job,) = parse_jobs("7|1|plumbline-x-0-1|COMPLETING|n1|TimeLimit\n")
    assert to_state(job) == EngineState("running", "n1", "TimeLimit")


def test_a_line_that_is_no_job_is_left_out() -> None:
    assert list(parse_jobs("slurm: some warning\n\n1|2|3\n")) == []


def test_shares_are_cancelled_by_their_ids_and_killed_if_they_stay(slurm: Doubles, make_node: MakeNode) -> None:
    stores = [make_node(share=number).store for number in (1, 2, 3)]
    answer(slurm, (stores[0], "RUNNING", "n1", "None"), (stores[1], "PENDING", "", "Resources"))
    engine = SlurmEngine(Cluster(on="slurm"))
    engine.cancel_attempts(stores, kill=False)
    engine.cancel_attempts(stores, kill=True)
    assert slurm.read_calls("scancel") == [["77_1", "77_2"], ["--signal=KILL", "--full", "77_1", "77_2"]]


def test_what_slurm_refuses_is_said(slurm: Doubles, make_node: MakeNode) -> None:
    slurm.say("sbatch", errors="sbatch: error: invalid partition specified: gpu\nsbatch: error: Batch job failed")
    with pytest.raises(UsageError, match=r"Slurm refuses: sbatch: error: invalid partition specified: gpu; check"):
        start(SlurmEngine(Cluster(on="slurm", partition="gpu")), make_node().store)


@pytest.mark.parametrize("missing", ["sbatch", "squeue", "scancel", "sinfo"])
def test_without_slurm_a_user_learns_what_is_missing_before_anything_is_made(
    tmp_path: Path, slurm: Doubles, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    SlurmEngine(Cluster(on="slurm"))
    (slurm.folder / missing).unlink()
    with pytest.raises(UsageError) as raised:
        SlurmEngine(Cluster(on="slurm"))
    said = f"--on slurm: there is no program {missing}; run this where jobs are submitted with sbatch"
    assert str(raised.value) == said


def test_nodes_whose_number_is_known_are_not_counted(
    tmp_path: Path, slurm: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (slurm.folder / "sinfo").unlink()
    assert SlurmEngine(Cluster(on="slurm", nodes=3, constraint="[a*2&b*1]")).list_places() == [Place("", 3)]


def test_a_slurm_whose_nodes_share_no_files_is_refused(slurm: Doubles) -> None:
    with pytest.raises(UsageError, match="--on slurm needs files = 'shared' in"):
        SlurmEngine(Cluster(on="slurm", files="stream"))


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
    ],
)
def test_a_slurm_that_is_away_or_busy_has_refused_nothing(slurm: Doubles, make_node: MakeNode, said: str) -> None:
    slurm.say("sbatch", errors=said)
    with pytest.raises(EngineSilent, match="Slurm does not answer: sbatch: error: "):
        start(SlurmEngine(Cluster(on="slurm")), make_node().store)


@pytest.mark.parametrize("states", [("COMPLETED", "RUNNING"), ("RUNNING", "COMPLETED")])
def test_of_two_jobs_of_one_attempt_the_one_that_is_not_over_counts_and_both_are_cancelled(
    slurm: Doubles, make_node: MakeNode, states: tuple[str, str]
) -> None:
    store = make_node().store
    lines = [f"{id_}|1|{name_array(store)}|{state}|n1|None" for id_, state in zip((77, 78), states, strict=True)]
    slurm.say("squeue", "\n".join(lines) + "\n")
    engine = SlurmEngine(Cluster(on="slurm"))
    assert engine.ask_states([store])[1, 1].name == "running"
    engine.cancel_attempts([store], kill=False)
    assert slurm.read_calls("scancel") == [["77_1", "78_1"]]


SINFO = """\
n1|idle|all*|avx2,epyc
n2|alloc|all*|avx2,xeon
n3|down|all*|avx2,epyc
n4|drain|all*|avx2,epyc
n5|resv|all*|avx2,epyc
n6|unk|all*|avx2,epyc
n7|idle*|all*|avx2,epyc
n8|mix$|all*|avx2,epyc
n9|idle~|all*|(null)
g1|idle|gpu|avx2,epyc
"""


@pytest.mark.parametrize(("cluster", "slots"), [(Cluster(on="slurm"), 3), (Cluster(on="slurm", nodes=7), 7)])
def test_slurm_offers_the_nodes_that_can_run_something(slurm: Doubles, cluster: Cluster, slots: int) -> None:
    slurm.say("sinfo", SINFO)
    (place,) = SlurmEngine(cluster).list_places()
    assert (place.name, place.slots) == ("", slots)


@pytest.mark.parametrize(
    ("constraint", "slots"), [("epyc", 1), ("avx2", 2), ("avx2&xeon", 1), ("epyc|xeon", 2), ("epyc|power9", 1)]
)
def test_only_nodes_that_fulfil_the_constraint_are_counted(slurm: Doubles, constraint: str, slots: int) -> None:
    slurm.say("sinfo", SINFO)
    (place,) = SlurmEngine(Cluster(on="slurm", constraint=constraint)).list_places()
    assert place.slots == slots


@pytest.mark.parametrize("constraint", ["[a*2&b*1]", "a*2", "(a|b)&c", "a&b|c", "a,b", "a&", "[a|b]"])
def test_a_constraint_that_cannot_be_counted_asks_for_a_number(slurm: Doubles, constraint: str) -> None:
    slurm.say("sinfo", SINFO)
    with pytest.raises(UsageError, match="its nodes cannot be counted; write their number: --nodes 4"):
        SlurmEngine(Cluster(on="slurm", constraint=constraint)).list_places()


def test_named_nodes_are_places_of_one_share_each(slurm: Doubles, make_node: MakeNode) -> None:
    engine = SlurmEngine(Cluster(on="slurm", nodes=("n1", "n3", "n1")))
    places = engine.list_places()
    assert [(place.name, place.slots) for place in places] == [("n1", 1), ("n3", 1)]
    engine.start_attempts([make_node().store], places[1])
    assert list_options(slurm.read_calls("sbatch")[0])["--nodelist"] == "n3"


@pytest.mark.parametrize(
    ("changes", "where"), [({"partition": "gpu"}, "in gpu"), ({"constraint": "power9"}, "with power9")]
)
def test_a_choice_of_nodes_without_any_is_named(slurm: Doubles, changes: dict[str, str], where: str) -> None:
    slurm.say("sinfo", SINFO if "constraint" in changes else "")
    with pytest.raises(UsageError, match=f"Slurm offers no node {where}; see sinfo"):
        SlurmEngine(Cluster.model_validate({"on": "slurm"} | changes)).list_places()
