"""The next sweep over nodes: what a node and a block cost in this one, and what the widest ratio needs."""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.analysis.derivation.process import Process, derive_processes
from orchestrator.analysis.nodes.comparison import NodesResult, compare_over_nodes
from orchestrator.analysis.nodes.next_sweep import measure_costs, plan_next_sweep
from orchestrator.analysis.statistics.looks import ALPHA
from orchestrator.analysis.statistics.variance_components import Costs
from schemas.job import Cell
from schemas.record import Extension, JobRecord, Manifest
from schemas.sweep import Stop
from tests.orchestrator.analysis.nodes.sweeps import list_pairs, make_nodes, make_sweep
from tests.orchestrator.conftest import a_manifest

START = datetime(2025, 1, 1, 12, tzinfo=UTC)
COSTS = Costs(block=10, node=100)
MakeRecords = Callable[..., list[JobRecord]]


def compare(centres: Sequence[float], blocks: int = 8) -> NodesResult:
    shares = [blocks] * len(centres)
    return compare_over_nodes(make_sweep(centres, shares), list_pairs(2), make_nodes(shares))


def test_ratios_that_are_as_precise_as_asked_need_no_further_sweep() -> None:
    result = compare([0.05, 0.051, 0.049, 0.05])
    (pair,) = result.comparisons
    assert pair.on_type is not None
    assert plan_next_sweep(result, COSTS, pair.on_type.log_half_width, ALPHA) is None


def test_a_ratio_that_is_too_wide_asks_for_more_nodes_than_it_had() -> None:
    result = compare([0.05, 0.08, 0.02])
    found = plan_next_sweep(result, COSTS, 0.02, ALPHA)
    assert found is not None
    assert found.pair is result.comparisons[0]
    assert found.plan is not None
    assert found.plan.nodes > 3
    assert found.plan.half_width <= 0.02


def test_two_nodes_are_enough_to_say_how_many_it_takes() -> None:
    found = plan_next_sweep(compare([0.05, 0.06]), COSTS, 0.02, ALPHA)
    assert found is not None
    assert found.plan is not None
    assert found.plan.nodes >= 3


def test_one_node_says_nothing_about_others() -> None:
    assert plan_next_sweep(compare([0.05]), COSTS, 0.02, ALPHA) is None


def test_nodes_that_differ_without_end_have_no_plan() -> None:
    found = plan_next_sweep(compare([0.0, 2.0, -2.0]), COSTS, 0.001, ALPHA)
    assert found is not None
    assert found.plan is None


def test_the_pair_that_needs_the_most_decides() -> None:
    calm, wild = compare([0.05, 0.06, 0.04]), compare([0.05, 0.15, -0.05])
    both = dataclasses.replace(calm, comparisons=(*calm.comparisons, *wild.comparisons))
    found = plan_next_sweep(both, COSTS, 0.005, ALPHA)
    assert found is not None
    assert found.pair is wild.comparisons[0]


def lay_out(
    records: Sequence[JobRecord], first_s: dict[str, float], nodes: Sequence[str], block_s: float = 20
) -> list[Process]:
    """Return processes whose blocks follow each other on nodes that begin so many seconds after the run."""
    processes = []
    for process in derive_processes(records):
        node = nodes[process.block % len(nodes)]
        began = first_s[node] + (process.block - 1) // len(nodes) * block_s + 2 * process.position
        started = (START + timedelta(seconds=began)).isoformat()
        processes.append(dataclasses.replace(process, node=node, started=started, took_ns=2_000_000_000))
    return processes


@pytest.fixture
def records(make_cell: Callable[..., Cell], make_records: MakeRecords) -> list[JobRecord]:
    return make_records([(make_cell("numpy:eager"), 1000.0), (make_cell("torch:eager"), 1100.0)])


@pytest.fixture
def begun() -> Manifest:
    return a_manifest((), started=START.isoformat())


def test_costs_are_what_passes_before_the_first_block_of_a_node_and_during_one(
    records: list[JobRecord], begun: Manifest
) -> None:
    processes = lay_out(records, {"n1": 100, "n2": 130, "n3": 400}, ("n1", "n2", "n3"))
    found = measure_costs(processes, begun)
    assert found is not None
    first = min(process.position for process in processes)
    span = 2 * (max(process.position for process in processes) - first) + 2
    assert [found.block, found.node] == pytest.approx([span, 130 + 2 * first])


def test_a_node_of_an_extension_was_waited_for_since_then(records: list[JobRecord], begun: Manifest) -> None:
    when = (START + timedelta(seconds=1000)).isoformat()
    extended = begun.model_copy(update={"extensions": (Extension(when=when, stop=Stop(), blocks=4),)})
    found = measure_costs(lay_out(records, {"n1": 1050}, ("n1",)), extended)
    assert found is not None
    assert found.node == pytest.approx(50 + 2 * min(process.position for process in derive_processes(records)))


def test_a_node_whose_clock_is_behind_was_not_waited_for(records: list[JobRecord], begun: Manifest) -> None:
    found = measure_costs(lay_out(records, {"n1": -60}, ("n1",)), begun)
    assert found is not None
    assert found.node == 0


def test_a_run_on_one_machine_has_no_such_costs(records: list[JobRecord], begun: Manifest) -> None:
    assert measure_costs(derive_processes(records), begun) is None
    assert measure_costs((), begun) is None
