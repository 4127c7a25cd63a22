"""Workloads of one operation: they are the operations they are named after, and go from caches to memory."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from schemas.workloads import OPERATIONS, Workload
from tests.workers.conftest import defaults
from workers import workloads

MIB = 1 << 20
every_operation = pytest.mark.parametrize("workload", OPERATIONS, ids=lambda workload: workload.name)


def test_a_matrix_product_by_hand() -> None:
    weights, x = {"W": np.array([[3.0, 4.0], [5.0, 6.0]])}, np.array([[1.0, 2.0]])
    assert workloads.import_reference("matmul").forward({}, weights, x).tolist() == [[13.0, 16.0]]


def test_a_convolution_puts_the_kernel_turned_around_about_a_single_point() -> None:
    kernel = np.arange(9.0).reshape(3, 3, 1, 1)
    for row, column in ((1, 2), (0, 0), (3, 3)):
        x, due = np.zeros((1, 4, 4, 1)), np.zeros((6, 6))
        x[0, row, column, 0] = 1
        due[row : row + 3, column : column + 3] = kernel[::-1, ::-1, 0, 0]
        output = workloads.import_reference("conv2d").forward({"size": 4, "filters": 1}, {"W": kernel}, x)
        assert np.array_equal(output[0, :, :, 0], due[1:5, 1:5])


def test_a_link_of_the_chain_by_hand() -> None:
    weights, x = {"scale": np.array([2.0]), "shift": np.array([0.5])}, np.array([[-0.3, 4.0]])
    silu = -0.1 / (1 + math.exp(0.1))
    output = workloads.import_reference("elementwise_chain").forward({}, weights, x)
    assert output == pytest.approx(np.array([[1.5 * silu - 0.5 * silu**3, 1.0]]))


def test_softmax_by_hand() -> None:
    weights, x = {"b": np.array([0.0, math.log(2)])}, np.array([[1.0, 1.0], [0.0, math.log(1.5)]])
    output = workloads.import_reference("softmax").forward({"width": 2}, weights, x)
    assert output == pytest.approx(np.array([[1 / 3, 2 / 3], [1 / 4, 3 / 4]]))


def test_layer_normalisation_by_hand() -> None:
    weights, x = {"gain": np.array([1.0, 2.0]), "shift": np.array([0.0, 5.0])}, np.array([[1.0, 3.0]])
    one = 1 / math.sqrt(1 + 1e-5)
    assert workloads.import_reference("layer_norm").forward({}, weights, x) == pytest.approx(
        np.array([[-one, 2 * one + 5]])
    )


def test_reductions_by_hand() -> None:
    centre, x = np.array([1.0, 0.0]), np.array([[1.0, 2.0], [4.0, -1.0]])
    reduction = workloads.import_reference("reduction")
    means, largest = reduction.forward({}, {"centre": centre}, x)
    assert means.tolist() == [(0 + 9) / 2, (4 + 1) / 2]
    assert largest.tolist() == [4, 9]
    assert reduction.backward({}, {"centre": centre}, x)[0] == means.sum() + largest.mean()


def test_rows_are_gathered_in_pairs_and_summed_into_bins_by_hand() -> None:
    table, sizes = np.array([[1.0], [2.0], [3.0]]), {"entries": 3, "pairs": 3, "bins": 3}
    pairs, bins = np.array([[0, 1], [2, 2], [1, 2]]), np.array([2, 0, 2])
    reference = workloads.import_reference("gather_scatter")
    assert reference.forward(sizes, {"table": table}, pairs, bins).tolist() == [[9.0], [0.0], [2.0 + 6.0]]
    assert reference.backward(sizes, {"table": table}, pairs, bins)[0] == 9.0**2 + 8.0**2


@pytest.mark.parametrize("pairs", [2, 5, 13])
def test_indices_take_every_row_about_equally_often_and_no_more_rows_count_than_are_touched(pairs: int) -> None:
    reference, sizes = (
        workloads.import_reference("gather_scatter"),
        {"entries": 10, "width": 3, "pairs": pairs, "bins": 4},
    )
    taken, _ = reference.inputs(sizes, np.random.default_rng(1), reference.shapes(sizes, 1)[0])
    _, often = np.unique(taken, return_counts=True)
    assert len(often) == min(10, 2 * pairs)
    assert max(often) - min(often) <= 1
    elements: Any = vars(reference)["elements"]
    assert elements(sizes, 1, "forward") == 3 * pairs + 3 * len(often) + 3 * 4
    assert elements(sizes, 1, "backward") == 3 * pairs + 2 * 3 * len(often)


@every_operation
def test_the_presets_go_from_caches_to_memory(workload: Workload) -> None:
    assert held(workload, {}) < MIB
    assert held(workload, workload.presets["cache"]) < 8 * MIB
    assert held(workload, workload.presets["memory"]) > 32 * MIB


def held(workload: Workload, preset: Mapping[str, int]) -> int:
    """Count the bytes of the weights and of four sets of inputs, with four bytes for a number."""
    reference, sizes = workloads.import_reference(workload.name), defaults(workload.name) | dict(preset)
    weights = reference.weights(sizes, np.random.default_rng(1)).values()
    inputs = sum(math.prod(shape) for shape in reference.shapes(sizes, 1)[0])
    return 4 * (sum(weight.size for weight in weights) + 4 * inputs)
