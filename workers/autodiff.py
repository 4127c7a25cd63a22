"""Gradients of a reference that is written as a loss only, by autograd over NumPy.

A reference imports NumPy from `autograd.numpy`, which computes as NumPy does and can be differentiated.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from autograd import value_and_grad

from workers.arrays import Array
from workers.interfaces import Parameters, select_trained

Backward = Callable[..., tuple[Any, dict[str, Array]]]


def gradients_of(loss: Callable[..., Any]) -> Backward:
    """Return the function `backward` of a reference with this loss: `loss(parameters, weights, *inputs)`."""

    def backward(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> tuple[Any, dict[str, Array]]:
        def compute_loss(chosen: Mapping[str, Any]) -> Any:
            return loss(parameters, {**weights, **chosen}, *inputs)

        value, gradients = value_and_grad(compute_loss)(select_trained(weights))
        # Autograd's gradient of a complex number is the conjugate of the direction of ascent.
        return value, {name: np.conj(each) if np.iscomplexobj(each) else each for name, each in gradients.items()}

    return backward
