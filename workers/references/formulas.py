"""Formulas shared by the references: NumPy that autograd can differentiate, in float32 throughout for float32 inputs.

autograd's own gradients of mean, max, maximum and where are float64 for any input, so these are not used.
"""

import math

import autograd.numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval
from numpy import frompyfunc

from workers.arrays import Array


def mean(x: Array) -> Array:
    """Return the mean over all elements."""
    return np.sum(x) / x.size


def relu(x: Array) -> Array:
    """Return max(x, 0), with slope 0 at 0."""
    return x * (x > 0)


@primitive  # type: ignore[untyped-decorator]
def erf(x: Array) -> Array:
    """Compute the error function number by number: exact, but slow compared with a framework's."""
    values: Array = np.asarray(frompyfunc(math.erf, 1, 1)(x), x.dtype)
    return values


defvjp(erf, lambda _, x: lambda g: g * (2 / math.pi**0.5) * np.exp(-x * x))


def gelu(x: Array) -> Array:
    """Multiply x by the share of a normal distribution below x (Hendrycks and Gimpel 2016), exactly."""
    return x * (0.5 + 0.5 * erf(x * 0.5**0.5))


def gelu_by_tanh(x: Array) -> Array:
    """Approximate GELU by tanh, as GPT-2 does."""
    return 0.5 * x * (1 + np.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x * x * x)))


def softmax(scores: Array) -> Array:
    """Compute the softmax along the last axis."""
    powers = np.exp(scores - np.max(getval(scores), axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def layer_norm(x: Array, gain: Array, shift: Array) -> Array:
    """Normalise along the last axis, the variance divided by the number of features, eps 1e-5 under the root."""
    apart = x - np.sum(x, axis=-1, keepdims=True) / x.shape[-1]
    variance = np.sum(apart * apart, axis=-1, keepdims=True) / x.shape[-1]
    return apart / np.sqrt(variance + 1e-5) * gain + shift


def attention(x: Array, weight: Array, bias: Array, heads: int, mask: Array | None = None) -> Array:
    """Compute multi-head self-attention over (batch, length, width); `mask` is added to the scores.

    The weight has the rows of all queries, then of all keys, then of all values (Vaswani et al. 2017).
    """
    batch, length, width = x.shape
    each = np.reshape(x @ weight.T + bias, (batch, length, 3, heads, width // heads))
    q, k, v = (np.transpose(each[:, :, place], (0, 2, 1, 3)) for place in range(3))
    scores = q @ np.transpose(k, (0, 1, 3, 2)) * (width // heads) ** -0.5
    seen = softmax(scores if mask is None else scores + mask) @ v
    return np.reshape(np.transpose(seen, (0, 2, 1, 3)), (batch, length, width))


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Average -log softmax(logits)[label] over all rows; logits are (..., classes), labels (...)."""
    rows = np.reshape(logits, (-1, logits.shape[-1]))
    shifted = rows - np.max(getval(rows), axis=1, keepdims=True)
    right = shifted[np.arange(len(rows)), np.ravel(labels)]
    return mean(np.log(np.sum(np.exp(shifted), axis=1)) - right)
