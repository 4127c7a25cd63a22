"""The update rules of training, as formulas for any array with operators.

So NumPy's reference, TensorFlow and JAX do literally the same arithmetic. PyTorch uses `torch.optim`, whose formulas
these are (torch/optim/sgd.py, adam.py and adamw.py: the epsilon is added after the bias correction). Keras uses
`keras.optimizers`. After three steps their weights must match the reference's.
"""

from collections.abc import Callable, Mapping
from math import log
from typing import Any, Final

from schemas.job import Task

SGD_RATE: Final = 0.01
MOMENTUM: Final = 0.9

ADAM_RATE: Final = 0.001
BETAS: Final = (0.9, 0.999)

# Larger than usual: in float32 its place in the formula must show above the rounding of weights that hardly move.
EPSILON: Final = 1e-4

# As language models are trained. It moves a weight by enough to show beside three steps of Adam.
WEIGHT_DECAY: Final = 0.1


def sgd(weight: Any, gradient: Any, velocity: Any) -> tuple[Any, Any]:
    """Return the weight and its velocity after one step of stochastic gradient descent with momentum."""
    velocity = MOMENTUM * velocity + gradient
    return weight - SGD_RATE * velocity, velocity


def adam(
    weight: Any, gradient: Any, mean: Any, square: Any, corrections: tuple[Any, Any], root: Callable[[Any], Any]
) -> tuple[Any, Any, Any]:
    """Return the weight and its two moments after one step of Adam (Kingma and Ba 2015); `root` is the square root."""
    first, second = BETAS
    mean = first * mean + (1 - first) * gradient
    square = second * square + (1 - second) * (gradient * gradient)
    rate, scale = ADAM_RATE / corrections[0], root(corrections[1])
    return weight - rate * (mean / (root(square) / scale + EPSILON)), mean, square


def adamw(
    weight: Any, gradient: Any, mean: Any, square: Any, corrections: tuple[Any, Any], root: Callable[[Any], Any]
) -> tuple[Any, Any, Any]:
    """Return the same after one step of AdamW (Loshchilov and Hutter 2019), whose weights decay before Adam's step."""
    return adam(weight * (1 - ADAM_RATE * WEIGHT_DECAY), gradient, mean, square, corrections, root)


# Updates with two moments, by task.
ADAPTIVE_UPDATES: Mapping[Task, Callable[..., tuple[Any, Any, Any]]] = {"train-adam": adam, "train-adamw": adamw}


def bias_corrections(step: Any, expm1: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return both moments' bias corrections at a step, from 1: 1 - beta ** step, exact in float32 as well."""
    return -expm1(step * log(BETAS[0])), -expm1(step * log(BETAS[1]))
