"""The operations that a JAX program needs at least, counted in its jaxpr."""

import itertools
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from jax.extend.core import Literal
from jax.interpreters import partial_eval

# The settings of a convolution for each of its axes, in the order in which pairs are counted.
SPACINGS = ("window_strides", "padding", "lhs_dilation", "rhs_dilation")


def count_flops(jaxpr: Any) -> int:
    """Count the operations of the matrix products and convolutions that the results of a program depend on.

    A loop whose length is unknown counts once, of several branches the cheapest, and of equal products one: the sum is
    never more than is needed.
    """
    needed, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    seen: dict[Any, Sequence[Any]] = {}
    same: dict[Any, Any] = {}
    total = 0
    for equation in needed.eqns:
        if is_new(equation, seen, same):
            total += count_equation(equation)
    return total


def is_new(equation: Any, seen: dict[Any, Sequence[Any]], same: dict[Any, Any]) -> bool:
    """Return whether no equation before has computed the same; note its results, or those that they are equal to."""
    if list_inner(equation):
        return True
    inputs = tuple(str(each) if isinstance(each, Literal) else same.get(each, each) for each in equation.invars)
    first = seen.setdefault((equation.primitive.name, inputs, str(equation.params)), equation.outvars)
    same |= zip(equation.outvars, first, strict=True)
    return first is equation.outvars


def count_equation(equation: Any) -> int:
    """Count the operations of one equation: two for each number that a product adds up."""
    kind, settings = equation.primitive.name, equation.params
    if kind == "dot_general":
        (summed, _), _ = settings["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return int(2 * equation.outvars[0].aval.size * prod(left[axis] for axis in summed))
    if kind == "conv_general_dilated":
        return count_convolution(equation)
    inner = [count_flops(each) for each in list_inner(equation)]
    if kind == "cond":
        return min(inner, default=0)
    return sum(inner) * (settings["length"] if kind == "scan" else 1)


def count_convolution(equation: Any) -> int:
    """Count the operations of a convolution. Zeros around an input, or between its numbers, need no arithmetic."""
    settings, (image, kernel) = equation.params, (each.aval.shape for each in equation.invars)
    made, form = equation.outvars[0].aval.shape, settings["dimension_numbers"]
    batch, features, *_ = form.out_spec
    pairs = [
        count_pairs(made[out], kernel[tap], image[here], *(settings[name][axis] for name in SPACINGS))
        for axis, (out, tap, here) in enumerate(
            zip(form.out_spec[2:], form.rhs_spec[2:], form.lhs_spec[2:], strict=True)
        )
    ]
    return int(2 * made[batch] * made[features] * kernel[form.rhs_spec[1]] * prod(pairs))


def count_pairs(
    made: int, taps: int, given: int, stride: int, padding: tuple[int, int], between: int, apart: int
) -> int:
    """Count the pairs of a result and a tap of the kernel that meet a number of the input, along one axis."""
    places = np.arange(made)[:, None] * stride + np.arange(taps) * apart - padding[0]
    return int(((places >= 0) & (places <= (given - 1) * between) & (places % between == 0)).sum())


def list_inner(equation: Any) -> list[Any]:
    """Return the programs in the settings of an equation."""
    return list(itertools.chain.from_iterable(map(list_programs, equation.params.values())))


def list_programs(value: Any) -> list[Any]:
    """Return the programs in a setting of an equation."""
    if isinstance(value, tuple | list):
        return [each for item in value for each in list_programs(item)]
    inner = getattr(value, "jaxpr", value)
    return [inner] if hasattr(inner, "eqns") else []
