"""Formulas that references share: NumPy that autograd differentiates, float32 throughout where float32 goes in.

autograd's own gradients of mean, max, maximum and where are in float64 whatever goes in, so these are not used.
"""

import autograd.numpy as np
from autograd.tracer import getval

from workers.arrays import Array


def mean(x: Array) -> Array:
    """Over all elements."""
    return np.sum(x) / x.size


def relu(x: Array) -> Array:
    """max(x, 0), with slope 0 at 0."""
    return x * (x > 0)


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Mean over all rows of -log softmax(logits)[label]; logits are (..., classes), labels (...)."""
    rows = np.reshape(logits, (-1, logits.shape[-1]))
    shifted = rows - np.max(getval(rows), axis=1, keepdims=True)
    right = shifted[np.arange(len(rows)), np.ravel(labels)]
    return mean(np.log(np.sum(np.exp(shifted), axis=1)) - right)
