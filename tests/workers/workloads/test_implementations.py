"""Every implementation of every workload computes what its reference does, except for known failures."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from schemas.workloads import OPERATIONS
from tests.benchmarks.support import NOT_TRIED, CellName, list_all_workloads, read_support
from tests.workers import implementations
from tests.workers.conftest import find_missing, run_process
from workers import workloads

# Workloads that every run of the suite tries: layers, a loop over time, and a reduction.
FEW = ("mlp", "rnn", "softmax")

# The outcome of a mode that cannot compute a workload: of tracing, if the inputs decide the graph.
# Keras' own loop cannot be differentiated on JAX.
CANNOT = {
    "torch:trace rnn": "wrong",
    "torch:trace tree_lstm": "wrong",
    "torch:trace early_exit": "wrong",
    "keras:jax-jit early_exit backward": "unsupported",
    "keras:jax-jit early_exit train-adam": "unsupported",
    "tinygrad:jit rnn": "unsupported",
}
WORKLOADS = Path(workloads.__file__).parent


@pytest.mark.long
@pytest.mark.parametrize("framework", [*implementations.MODES])
def test_a_few_workloads_are_right_in_every_mode_or_fail_as_they_are_known_to(framework: str) -> None:
    assert find_surprises(framework, *FEW) == []


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("framework", implementations.MODES)
def test_every_workload_is_right_in_every_mode_or_fails_as_it_is_known_to(framework: str) -> None:
    assert find_surprises(framework) == []


def find_surprises(framework: str, *only: str) -> list[dict[str, object]]:
    """Try all workloads of a framework, or only these, and return what did not end as it is known to."""
    for part in framework.split("_"):
        if find_spec(part) is None:
            pytest.skip(f"{part} is not installed")
    if missing := find_missing(framework.partition("_")[0], next(iter(implementations.MODES[framework]))):
        pytest.skip(f"{missing} is not installed")
    ended = run_process(["-m", "tests.workers.implementations", framework, *only], b"", {}, timeout_s=900)
    told = [json.loads(line) for line in ended.output.splitlines() if line.startswith(b"{")]
    cells = [cell for cell in implementations.cells(framework) if not only or cell.workload in only]
    names = [f"{cell.framework}:{cell.mode} {cell.workload} {cell.task}" for cell in cells]
    assert [each["name"] for each in told] == names, ended.log[-2000:]
    for each in sorted(told, key=lambda each: -each["seconds"])[:5]:
        print(f"{each['name']}: {each['seconds']:.1f} s")
    return [each for each in told if each["outcome"] != due(each["name"])]


def due(name: str) -> str:
    """Return the known outcome of a cell."""
    mode, workload, _ = name.split()
    if not (WORKLOADS / workload / f"{mode.partition(':')[0]}.py").is_file():
        return "unsupported"
    return CANNOT.get(name) or CANNOT.get(f"{mode} {workload}", "right")


def test_only_numba_and_tinygrad_lack_workloads_and_both_have_every_operation() -> None:
    lacking = {
        (name, cell.workload)
        for name in implementations.MODES
        for cell in implementations.cells(name)
        if due(f"{cell.framework}:- {cell.workload} -") == "unsupported"
    }
    assert {name for name, _ in lacking} == {"numba", "tinygrad"}
    assert {workload for _, workload in lacking}.isdisjoint({*FEW, *(operation.name for operation in OPERATIONS)})


def test_the_table_of_support_agrees_with_what_is_known() -> None:
    entries, workloads = read_support().entries, list_all_workloads()
    names = [
        CellName(f"{cell.framework}:{cell.mode}", cell.workload, cell.task)
        for framework in implementations.MODES
        for cell in implementations.cells(framework)
        if cell.task in ("forward", "backward") and cell.workload in workloads
    ]
    known = {name: due(" ".join(name)).replace("right", "measured") for name in names}
    assert len(known) > len(workloads)
    told = {name: entries[name].outcome for name in names}
    assert {name: outcome for name, outcome in told.items() if outcome not in (known[name], NOT_TRIED)} == {}


def test_only_what_exists_is_known_to_fail() -> None:
    exist = {
        f"{cell.framework}:{cell.mode} {cell.workload}"
        for framework in implementations.MODES
        for cell in implementations.cells(framework)
    }
    assert exist >= {" ".join(name.split()[:2]) for name in CANNOT}
