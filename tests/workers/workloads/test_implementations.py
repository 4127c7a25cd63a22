"""Every implementation of every workload computes what its reference does, except for known failures."""

import json
from importlib.util import find_spec

import pytest

from tests.workers import implementations
from tests.workers.conftest import run_process

# The outcome of a mode that cannot compute a workload: of tracing, if the inputs decide the graph.
CANNOT = {"torch:trace rnn": "wrong", "torch:trace tree_lstm": "wrong", "torch:trace early_exit": "wrong"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("framework", implementations.MODES)
def test_every_workload_is_right_in_every_mode_or_fails_as_it_is_known_to(framework: str) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    ended = run_process(["-m", "tests.workers.implementations", framework], b"", {}, timeout_s=900)
    told = [json.loads(line) for line in ended.output.splitlines() if line.startswith(b"{")]
    names = [f"{cell.framework}:{cell.mode} {cell.workload} {cell.task}" for cell in implementations.cells(framework)]
    assert [each["name"] for each in told] == names, ended.log[-2000:]
    surprising = [each for each in told if each["outcome"] != due(each["name"])]
    assert surprising == []
    for each in sorted(told, key=lambda each: -each["seconds"])[:5]:
        print(f"{each['name']}: {each['seconds']:.1f} s")


def due(name: str) -> str:
    """Return the known outcome of a cell."""
    mode, workload, _ = name.split()
    return CANNOT.get(f"{mode} {workload}", "right")


def test_only_what_exists_is_known_to_fail() -> None:
    exist = {
        f"{cell.framework}:{cell.mode} {cell.workload}"
        for framework in implementations.MODES
        for cell in implementations.cells(framework)
    }
    assert exist >= CANNOT.keys()
