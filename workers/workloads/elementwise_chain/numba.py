"""A chain of elementwise operations in Numba: one loop that takes each number through all links.

The gradients are hand-derived. Their sums over all numbers, like the loss, are added up in float64.
"""

import numpy as np
from numba import prange
from numba.extending import register_jitable

from workers.arrays import Array


@register_jitable
def pass_link(x: float, scale: float, shift: float) -> tuple[float, float, float]:
    """Return u, 1 / (1 + exp(-u)) and the clamped value of a link."""
    one = type(x)(1)
    u = scale * x + shift
    gate = one / (one + np.exp(-u))
    return u, gate, min(max(u * gate, -one), one)


@register_jitable
def shape_cubic(c: float) -> float:
    """Return 1.5 c - 0.5 c^3."""
    return type(c)(1.5) * c - type(c)(0.5) * c * c * c


def forward(x: Array, scale: Array, shift: Array) -> Array:
    output = np.empty_like(x)
    numbers, results = x.reshape(-1), output.reshape(-1)
    for place in prange(len(numbers)):
        number = numbers[place]
        for link in range(len(scale)):
            number = shape_cubic(pass_link(number, scale[link], shift[link])[2])
        results[place] = number
    return output


def backward(x: Array, scale: Array, shift: Array) -> tuple[float, Array, Array]:
    numbers, links, kind = x.reshape(-1), len(scale), x.dtype.type
    before, upstream = np.empty((links, x.size), x.dtype), np.empty(x.size, x.dtype)
    loss, double = 0.0, kind(2 / x.size)
    for place in prange(len(numbers)):
        number = numbers[place]
        for link in range(links):
            before[link, place] = number
            number = shape_cubic(pass_link(number, scale[link], shift[link])[2])
        loss += number * number
        upstream[place] = double * number
    by_scale, by_shift = np.empty_like(scale), np.empty_like(shift)
    for link in range(links - 1, -1, -1):
        with_number, alone = 0.0, 0.0
        for place in prange(len(numbers)):
            u, gate, c = pass_link(before[link, place], scale[link], shift[link])
            # 1 - c * c is 0 where it is clamped.
            slope = upstream[place] * kind(1.5) * (kind(1) - c * c) * gate * (kind(1) + u * (kind(1) - gate))
            with_number += slope * before[link, place]
            alone += slope
            upstream[place] = slope * scale[link]
        by_scale[link], by_shift[link] = with_number, alone
    return loss / x.size, by_scale, by_shift
