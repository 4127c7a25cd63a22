"""Variance components and the plan of blocks and nodes, on known truth."""

import math

import numpy as np
import pytest

from orchestrator.analysis.statistics.random_effects import combine_effects
from orchestrator.analysis.statistics.variance_components import (
    FEWEST_BLOCKS,
    FEWEST_NODES,
    MOST_BLOCKS,
    Costs,
    VarianceComponents,
    choose_blocks,
    estimate_components,
    plan_nodes,
)

# A standard deviation of 1 % between nodes and 1.5 % from block to block.
KNOWN = VarianceComponents(within=0.015**2, between=0.01**2)


def draw_nodes(components: VarianceComponents, blocks: int, nodes: int, rng: np.random.Generator) -> list[list[float]]:
    centres = rng.normal(0.05, math.sqrt(components.between), nodes)
    return [rng.normal(centre, math.sqrt(components.within), blocks).tolist() for centre in centres]


@pytest.mark.parametrize("between", [0.0, 0.01, 0.03])
def test_the_components_of_many_nodes_are_the_true_ones(between: float) -> None:
    truth, rng = VarianceComponents(0.015**2, between**2), np.random.default_rng(1)
    found = [estimate_components(draw_nodes(truth, 8, 40, rng)) for _ in range(40)]
    assert np.mean([each.within for each in found]) == pytest.approx(truth.within, rel=0.05)
    assert np.mean([each.between for each in found]) == pytest.approx(truth.between, rel=0.1, abs=5e-6)


def test_nodes_with_unequal_shares_count_as_well() -> None:
    rng = np.random.default_rng(2)
    found = [
        estimate_components([node[: 3 + place % 8] for place, node in enumerate(draw_nodes(KNOWN, 12, 40, rng))])
        for _ in range(40)
    ]
    assert np.mean([each.between for each in found]) == pytest.approx(KNOWN.between, rel=0.1)


@pytest.mark.parametrize("by_node", [[], [[0.1, 0.2, 0.3]], [[0.1, 0.2], [0.3]]])
def test_one_node_shows_no_spread_between_nodes(by_node: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="give two or more"):
        estimate_components(by_node)


def test_the_best_number_of_blocks_is_the_root_by_hand() -> None:
    """Check costs of 90 s and 10 s: the root of 9 times 2.25 is 4.5, and of 4 and 5 both are as good within 1 %."""
    assert choose_blocks(KNOWN, Costs(block=10, node=90)) in (4, 5)
    assert choose_blocks(KNOWN, Costs(block=10, node=810)) in (13, 14)


@pytest.mark.parametrize("node_s", [30, 120, 600, 3600])
@pytest.mark.parametrize("between", [0.003, 0.01, 0.03])
def test_no_other_number_of_blocks_is_more_precise_for_its_cost(between: float, node_s: float) -> None:
    components, costs = VarianceComponents(0.015**2, between**2), Costs(block=20, node=node_s)

    def price(blocks: int) -> float:
        return components.predict_variance(blocks, 1) * costs.sum_costs(blocks, 1)

    chosen = choose_blocks(components, costs, fewest=1)
    assert price(chosen) == min(price(blocks) for blocks in range(1, MOST_BLOCKS + 1))


def test_with_the_same_money_the_best_number_gives_the_least_error() -> None:
    """Check by simulation that the mean over the nodes that a budget pays for varies least at the chosen number."""
    costs, budget, rng = Costs(block=10, node=100), 3000, np.random.default_rng(3)
    chosen = choose_blocks(KNOWN, costs)

    def simulate(blocks: int) -> float:
        nodes = int(budget / costs.sum_costs(blocks, 1))
        means = [np.mean(draw_nodes(KNOWN, blocks, nodes, rng)) for _ in range(3000)]
        # What is left of the budget is not spent, so the variance is taken at equal cost.
        return float(np.var(means)) * costs.sum_costs(blocks, nodes) / budget

    best = simulate(chosen)
    assert best < 0.85 * simulate(1)
    assert best < 0.85 * simulate(MOST_BLOCKS)
    assert best < 1.06 * min(simulate(blocks) for blocks in (chosen - 2, chosen + 3))


def test_without_a_spread_between_nodes_all_blocks_go_to_few_nodes() -> None:
    assert choose_blocks(VarianceComponents(1e-4, 0.0), Costs(10, 100)) == MOST_BLOCKS
    assert choose_blocks(VarianceComponents(1e-4, 0.0), Costs(10, 100), most=20) == 20


def test_with_a_spread_beyond_all_noise_each_node_takes_the_fewest_blocks() -> None:
    assert choose_blocks(VarianceComponents(1e-6, 1.0), Costs(10, 100)) == FEWEST_BLOCKS
    assert choose_blocks(VarianceComponents(1e-6, 1.0), Costs(10, 0)) == FEWEST_BLOCKS


@pytest.mark.parametrize("half_width", [0.005, 0.01, 0.02])
def test_a_plan_has_the_fewest_nodes_that_reach_its_half_width(half_width: float) -> None:
    costs = Costs(block=20, node=200)
    plan = plan_nodes(KNOWN, costs, half_width, 0.04)
    assert plan is not None
    assert plan.half_width <= half_width
    assert plan.cost == plan.nodes * (200 + 20 * plan.blocks)
    more = plan_nodes(KNOWN, costs, half_width * 0.8, 0.04)
    assert more is not None
    assert more.nodes > plan.nodes


def test_a_plan_keeps_its_promise() -> None:
    """Check 300 simulated sweeps of the planned size: their median half-width is the promised one."""
    plan, rng = plan_nodes(KNOWN, Costs(block=20, node=200), 0.01, 0.04), np.random.default_rng(4)
    assert plan is not None
    widths = []
    for _ in range(300):
        nodes = np.array(draw_nodes(KNOWN, plan.blocks, plan.nodes, rng))
        errors = nodes.std(axis=1, ddof=1) / math.sqrt(plan.blocks)
        widths.append(combine_effects(nodes.mean(axis=1), errors, 0.04).mean.half_width)
    assert np.median(widths) == pytest.approx(plan.half_width, rel=0.1)


def test_a_plan_has_at_least_the_nodes_of_a_sample() -> None:
    plan = plan_nodes(VarianceComponents(1e-8, 1e-10), Costs(20, 200), 0.1, 0.04)
    assert plan is not None
    assert plan.nodes == FEWEST_NODES


def test_what_no_number_of_nodes_can_reach_has_no_plan() -> None:
    assert plan_nodes(VarianceComponents(0.01, 1.0), Costs(20, 200), 0.01, 0.04) is None
