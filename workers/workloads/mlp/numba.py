"""A plain static network in Numba, with hand-derived gradients; its products are those of SciPy's BLAS.

The weights of all layers come as two tuples. Both functions leave their work to others, which are never parallel:
Numba's analysis for parallel=True takes all arrays of a tuple for equally large, and then raises.
"""

import numpy as np
from numba.extending import register_jitable

from workers.arrays import Array

Gradients = tuple[float, list[Array], list[Array]]


@register_jitable
def apply_layers(x: Array, W: tuple[Array, ...], b: tuple[Array, ...]) -> list[Array]:
    """Return the input of each layer, then the output of the last."""
    passed = [x]
    for layer in range(len(W)):
        x = np.dot(x, W[layer].T) + b[layer]
        passed.append(np.maximum(x, x.dtype.type(0)) if layer < len(W) - 1 else x)
        x = passed[-1]
    return passed


@register_jitable
def find_gradients(passed: list[Array], W: tuple[Array, ...], b: tuple[Array, ...]) -> Gradients:
    """Return the loss, and the gradients of the weights of each layer."""
    by_W, by_b, output = [np.empty_like(each) for each in W], [np.empty_like(each) for each in b], passed[-1]
    upstream = output.dtype.type(2 / output.size) * output
    for layer in range(len(W) - 1, -1, -1):
        by_W[layer], by_b[layer] = np.dot(upstream.T, passed[layer]), upstream.sum(axis=0)
        if layer > 0:
            upstream = np.dot(upstream, W[layer]) * (passed[layer] > 0)
    return (output * output).mean(), by_W, by_b


def forward(x: Array, W: tuple[Array, ...], b: tuple[Array, ...]) -> Array:
    return apply_layers(x, W, b)[-1]


def backward(x: Array, W: tuple[Array, ...], b: tuple[Array, ...]) -> Gradients:
    return find_gradients(apply_layers(x, W, b), W, b)
