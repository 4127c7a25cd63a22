"""A command for each share: its request goes in, its files come out, and it ends with its head."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.shares import Place
from orchestrator.execution.shares.collector import make_collector
from orchestrator.execution.shares.dispatcher import Dispatcher
from orchestrator.execution.shares.engines.command import CommandEngine, describe_status
from orchestrator.execution.shares.share_command import fill_template, make_share_command
from orchestrator.processes.signals import Interrupts
from orchestrator.records.store import Store
from schemas.cluster import Cluster
from schemas.share import ShareSpec
from schemas.sweep import SweepSpec
from tests.orchestrator.execution.shares.conftest import IDS, Node, a_share

MakeNode = Callable[..., Node]
DOUBLE = Path(__file__).resolve().parents[4].joinpath("doubles", "share.py")
WAIT_S = 20.0
SHARE = ["python", "share"]


def a_cluster(how: str, **changes: object) -> Cluster:
    """Return the settings of nodes that do as said."""
    plain = {"on": f"{sys.executable} -I -S {DOUBLE} {how} {{node}}", "nodes": ("n1", "n2"), "patience": 30.0}
    return Cluster.model_validate(plain | {"on": f"{plain['on']} --ignored={{command}}"} | changes)


@pytest.fixture
def engines() -> Iterator[list[CommandEngine]]:
    """Engines that are closed at the end."""
    opened = list[CommandEngine]()
    yield opened
    for engine in opened:
        engine.end_processes()


def open_engine(engines: list[CommandEngine], cluster: Cluster) -> CommandEngine:
    engines.append(CommandEngine(cluster, 2))
    return engines[-1]


def follow(run: Store, engine: CommandEngine, *specs: ShareSpec) -> Dispatcher:
    waiting = deque[Callable[[], ShareSpec]](partial(ShareSpec.model_copy, spec) for spec in specs)
    collector = make_collector(run, IDS, lambda _: None)
    made = Dispatcher(run, engine, collector, engine.cluster.patience, waiting, engine.list_places())
    with Interrupts() as interrupts:
        made.follow_shares(interrupts, lambda _rows, _waiting: None)
    return made


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, "it does not come to pass"
        time.sleep(0.02)


def start_one(engine: CommandEngine, node: Node) -> psutil.Process:
    """Start a share, and wait until its node has taken the lease."""
    engine.start_attempts([node.store], Place("n1", 1))
    for _ in range(200):
        engine.pass_time(0.05)
        engine.fetch_files(node.store)
        if node.store.read_lease() is not None:
            break
    return next(each for each in psutil.Process().children() if str(DOUBLE) in each.cmdline())


def test_shares_of_two_nodes_come_back_through_their_commands(run: Store, engines: list[CommandEngine]) -> None:
    specs = [a_share(number, first=2 * number - 1, last=2 * number) for number in (1, 2, 3)]
    made = follow(run, open_engine(engines, a_cluster("closes")), *specs)
    assert made.failed == []
    assert sorted(made.collector.taken.by_block) == [1, 2, 3, 4, 5, 6]


def test_a_request_that_no_pipe_holds_is_written_in_parts(run: Store, engines: list[CommandEngine]) -> None:
    large = SweepSpec.model_validate({"exclude": [{"workload": "x" * 1000}] * 300})
    made = follow(run, open_engine(engines, a_cluster("closes")), a_share(first=1, last=1, sweep=large))
    assert made.failed == []


def test_a_command_that_fails_is_named_with_what_it_said(run: Store, engines: list[CommandEngine]) -> None:
    made = follow(run, open_engine(engines, a_cluster("fails")), a_share())
    (lost,) = made.failed
    assert (lost.node, lost.how) == ("n1", "lost")
    assert lost.reason == "its command exited with 3; no such module"


def test_a_node_that_sends_a_file_elsewhere_is_stopped(run: Store, engines: list[CommandEngine]) -> None:
    made = follow(run, open_engine(engines, a_cluster("escapes")), a_share())
    (failed,) = made.failed
    assert failed.how == "failed"
    assert "the node sent no file of a share" in failed.reason
    assert not list(run.folder.parent.rglob("escaped.json"))


def test_a_node_ends_when_its_standard_input_does(make_node: MakeNode, engines: list[CommandEngine]) -> None:
    engine, node = open_engine(engines, a_cluster("waits")), make_node()
    process = start_one(engine, node)
    engine.cancel_attempts([node.store], kill=False)
    wait_until(lambda: engine.ask_states([node.store])[1, 1].name == "gone")
    engine.fetch_files(node.store)
    end = node.store.read_end()
    assert end is not None
    assert (end.how, process.is_running()) == ("interrupted", False)


def test_a_command_that_stays_is_killed(make_node: MakeNode, engines: list[CommandEngine]) -> None:
    engine, node = open_engine(engines, a_cluster("stays")), make_node()
    process = start_one(engine, node)
    engine.cancel_attempts([node.store], kill=False)
    assert engine.ask_states([node.store])[1, 1].name == "running"
    engine.cancel_attempts([node.store], kill=True)
    state = engine.ask_states([node.store])[1, 1]
    assert (state.name, state.reason, process.is_running()) == ("gone", "its command ended by SIGKILL", False)


def test_an_engine_that_is_closed_leaves_nothing_running(make_node: MakeNode, engines: list[CommandEngine]) -> None:
    engine, node = open_engine(engines, a_cluster("stays")), make_node()
    process = start_one(engine, node)
    engine.end_processes()
    assert not process.is_running()


def test_with_a_shared_folder_a_command_is_terminated(make_node: MakeNode, engines: list[CommandEngine]) -> None:
    engine = open_engine(engines, a_cluster("stays", files="shared"))
    node = make_node(folder="/shared")
    engine.start_attempts([node.store], Place("n1", 1))
    engine.pass_time(0.2)
    engine.cancel_attempts([node.store], kill=False)
    wait_until(lambda: engine.ask_states([node.store])[1, 1].name == "gone")
    assert engine.ask_states([node.store])[1, 1].reason == "its command ended by SIGTERM"
    assert not node.store.stream_path.exists()


def test_the_share_of_an_earlier_head_is_gone(make_node: MakeNode, engines: list[CommandEngine]) -> None:
    state = open_engine(engines, a_cluster("waits")).ask_states([make_node().store])[1, 1]
    assert (state.name, state.reason) == ("gone", "the head that had started its command has ended")


def test_waiting_ends_with_a_signal(engines: list[CommandEngine]) -> None:
    engine = open_engine(engines, a_cluster("waits"))
    with Interrupts() as interrupts:
        psutil.Process().send_signal(15)
        began = time.monotonic()
        engine.pass_time(WAIT_S, interrupts)
    assert time.monotonic() - began < WAIT_S / 2


# The template


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (["ssh", "{node}", "{command}"], ["ssh", "n1", "python", "share"]),
        (["sh", "-c", "module load x; {command}"], ["sh", "-c", "module load x; python share"]),
        (["kubectl", "exec", "-i", "pod-{node}", "--", "{command}"], ["kubectl", "exec", "-i", "pod-n1", "--", *SHARE]),
    ],
)
def test_a_template_is_filled_word_by_word(template: list[str], words: list[str]) -> None:
    assert fill_template(template, "n1", ["python", "share"]) == words


def test_no_word_of_the_command_is_changed_by_a_shell() -> None:
    assert make_share_command(Cluster(program="plumbline --x=1"), "user@n1") == [
        "plumbline",
        "--x=1",
        "share",
        "--node",
        "user@n1",
    ]
    with pytest.raises(UsageError, match="'/my programs/python' has characters that a shell on a node would change"):
        make_share_command(Cluster(program="'/my programs/python' -m orchestrator"))


def test_without_a_program_the_interpreter_of_the_head_is_used() -> None:
    words = make_share_command(Cluster())
    assert words[-4:] == [sys.executable, "-m", "orchestrator", "share"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nodes": None}, "needs the names of nodes: --nodes a,b,c"),
        ({"nodes": 3}, "needs the names of nodes: --nodes a,b,c"),
        ({"on": "env {command}"}, "has no place for the names of nodes; write {node} in it"),
        ({"partition": "gpu"}, "partition in [cluster] is for --on slurm"),
        ({"time": "1h"}, "time in [cluster] is for --on slurm"),
        ({"on": "ssh '{node} {command}"}, "no closing quotation in"),
        ({"program": " "}, "program in [cluster] is blank; leave it out, or name the command"),
    ],
)
def test_settings_that_do_not_fit_are_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        CommandEngine(a_cluster("waits", **changes), 2).list_places()
    assert said in str(raised.value)


def test_a_program_that_does_not_exist_is_named_before_anything_is_made(engines: list[CommandEngine]) -> None:
    with pytest.raises(UsageError, match="there is no program 'no-such-program'; install it, or name another"):
        open_engine(engines, Cluster(on="no-such-program {command}"))


def test_nodes_are_offered_once_each(engines: list[CommandEngine]) -> None:
    named = open_engine(engines, a_cluster("waits", nodes=("a", "b", "a")))
    assert [(place.name, place.slots) for place in named.list_places()] == [("a", 1), ("b", 1)]
    counted = open_engine(engines, Cluster(on="env {command}", nodes=4))
    assert [(place.name, place.slots) for place in counted.list_places()] == [("", 4)]


@pytest.mark.parametrize(
    ("status", "said"),
    [(3, "its command exited with 3"), (-9, "its command ended by SIGKILL"), (-35, "its command ended by signal 35")],
)
def test_the_end_of_a_command_is_described(status: int, said: str) -> None:
    assert describe_status(status) == said
