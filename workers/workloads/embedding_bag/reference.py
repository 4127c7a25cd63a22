"""A recommendation network: bags of table rows, pairwise products with dense features, and layers above.

Modelled on DLRM (Naumov et al. 2019), with one layer below and two above. d = relu(W_d dense + b_d). The rows of a
table that a bag names are added up, s_i = sum of E_i[index]. The interactions are the products of all pairs of d, s_1,
s_2 and so on. logit = W_2 relu(W_1 [d, interactions] + b_1) + b_2. The outputs are the logits, loss = mean cross
entropy with labels of 0 and 1.

dense is (batch, dense), indices (batch, tables, bag), labels (batch,); E_i is (entries, width), W_d (width, dense), W_1
(hidden, width + pairs), W_2 (1, hidden).
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

import autograd.numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters, Shapes
from workers.references.formulas import mean, relu


def pairs(parameters: Parameters) -> list[tuple[int, int]]:
    """Return the pairs of vectors to multiply: vector 0 is that of the dense features, the others are the tables'."""
    return list(combinations(range(1 + parameters["tables"]), 2))


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    width, dense, hidden = parameters["width"], parameters["dense"], parameters["hidden"]
    joined = width + len(pairs(parameters))
    tables = {
        f"E_{table}": rng.standard_normal((parameters["entries"], width)) / width**0.5
        for table in range(parameters["tables"])
    }
    return {
        **tables,
        "W_d": rng.standard_normal((width, dense)) / dense**0.5,
        "b_d": 0.5 + rng.standard_normal(width) * 0.1,
        "W_1": rng.standard_normal((hidden, joined)) / joined**0.5,
        "b_1": 0.5 + rng.standard_normal(hidden) * 0.1,
        "W_2": rng.standard_normal((1, hidden)) / hidden**0.5,
        "b_2": rng.standard_normal(1) * 0.1,
    }


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["dense"]), (batch, parameters["tables"], parameters["bag"]), (batch,)),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    dense, indices, labels = shapes
    return rng.standard_normal(dense), rng.integers(parameters["entries"], size=indices), rng.integers(2, size=labels)


def vectors(parameters: Parameters, weights: Mapping[str, Array], dense: Array, indices: Array) -> Iterator[Array]:
    """Yield the vector of the dense features, then the vector of each bag."""
    yield relu(dense @ weights["W_d"].T + weights["b_d"])
    for table in range(parameters["tables"]):
        yield np.sum(weights[f"E_{table}"][indices[:, table]], axis=1)


def forward(parameters: Parameters, weights: Mapping[str, Array], dense: Array, indices: Array, labels: Array) -> Array:
    every = list(vectors(parameters, weights, dense, indices))
    products = [np.sum(every[one] * every[other], axis=1) for one, other in pairs(parameters)]
    joined = np.concatenate([every[0], np.stack(products, axis=1)], axis=1)
    return (relu(joined @ weights["W_1"].T + weights["b_1"]) @ weights["W_2"].T + weights["b_2"])[:, 0]


def loss(parameters: Parameters, weights: Mapping[str, Array], dense: Array, indices: Array, labels: Array) -> Array:
    logits = forward(parameters, weights, dense, indices, labels)
    right = labels.astype(dense.dtype)
    # In this form no exponential overflows.
    return mean(relu(logits) - right * logits + np.log1p(np.exp(-np.abs(logits))))


backward = gradients_of(loss)


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    """Count the layers alone, because the interactions may be computed as one product or as many."""
    width, dense, hidden = parameters["width"], parameters["dense"], parameters["hidden"]
    below = 2 * batch * dense * width
    forward = below + 2 * batch * hidden * (width + len(pairs(parameters)) + 1)
    return forward if task == "forward" else 3 * forward - below


def elements(parameters: Parameters, batch: int, task: Task) -> int:
    """Count all but the tables, of which one row each may be enough; their gradients are as large as the tables."""
    tables = parameters["tables"] * parameters["entries"] * parameters["width"]
    every = sum(weight.size for weight in weights(parameters, np.random.default_rng(0)).values())
    taken = every - tables + parameters["tables"] * parameters["width"]
    taken += batch * (parameters["dense"] + parameters["tables"] * parameters["bag"])
    return taken + (batch if task == "forward" else batch + 1 + every)
