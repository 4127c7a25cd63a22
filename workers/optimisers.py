"""The updates of training, as formulas that any array with operators can go through.

So NumPy's reference, TensorFlow and JAX do literally the same arithmetic. PyTorch takes its own `torch.optim`, whose
formulas these are (torch/optim/sgd.py and adam.py: the epsilon is added after the bias has been corrected); after three
steps its weights have to be the reference's.
"""

from collections.abc import Callable
from math import log
from typing import Any, Final

SGD_RATE: Final = 0.01
MOMENTUM: Final = 0.9

ADAM_RATE: Final = 0.001
BETAS: Final = (0.9, 0.999)
EPSILON: Final = 1e-4
"""Larger than is usual, so that where it is added shows in float32, above the rounding of weights that hardly move."""


def sgd(weight: Any, gradient: Any, velocity: Any) -> tuple[Any, Any]:
    """The weight and its velocity after one step of stochastic gradient descent with momentum."""
    velocity = MOMENTUM * velocity + gradient
    return weight - SGD_RATE * velocity, velocity


def adam(
    weight: Any, gradient: Any, mean: Any, square: Any, corrections: tuple[Any, Any], root: Callable[[Any], Any]
) -> tuple[Any, Any, Any]:
    """The weight and its two moments after one step of Adam (Kingma and Ba 2015), with `root` as the square root."""
    first, second = BETAS
    mean = first * mean + (1 - first) * gradient
    square = second * square + (1 - second) * (gradient * gradient)
    rate, scale = ADAM_RATE / corrections[0], root(corrections[1])
    return weight - rate * (mean / (root(square) / scale + EPSILON)), mean, square


def corrections(step: Any, expm1: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What the bias of both moments is corrected by at a step, from 1: 1 - beta ** step, exact in float32 as well."""
    return -expm1(step * log(BETAS[0])), -expm1(step * log(BETAS[1]))
