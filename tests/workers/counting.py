"""Arrays that count the operations of their products, however these are written: two for each pair of numbers.

Given to a reference as weights and inputs, they count its arithmetic: by `@`, `dot`, `inner`, `tensordot` or an
`einsum` of two arrays, and in gradients by autograd too.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from autograd.extend import VSpace
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace
from autograd.tracer import Box

from workers.arrays import Array


class Counting(np.ndarray[Any, np.dtype[np.float64]]):
    """An array whose results are again such arrays. `flops` is the count of all of them together."""

    flops = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Count every elementwise operation, and `matmul`. Boxes of autograd open themselves and call again."""
        if any(isinstance(each, Box) for each in inputs):
            return NotImplemented
        return counted(ufunc, getattr(ufunc, method), inputs, options)

    def __array_function__(
        self, function: Callable[..., Any], types: object, args: Iterable[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Count every other function of NumPy."""
        return counted(function, function, args, kwargs)


def counted(named: object, function: Callable[..., Any], args: Iterable[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a function of NumPy with plain arrays, so that it counts only once; its result continues to count."""
    result = function(*map(plain, args), **{name: plain(each) for name, each in kwargs.items()})
    if named in SUMMED:
        Counting.flops += 2 * np.size(result) * SUMMED[named](*args, **kwargs)
    return counting(result)


def counting(value: Any) -> Any:
    """Return a value that counts, also inside of a list or a tuple, as `split` returns."""
    if isinstance(value, list | tuple):
        return type(value)(map(counting, value))
    return value.view(Counting) if isinstance(value, np.ndarray) else value


def plain(value: Any) -> Any:
    """Return a value that does not count, also inside of a list or a tuple."""
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return value.view(np.ndarray) if isinstance(value, Counting) else value


def by_tensordot(a: Array, b: Array, axes: Any = 2) -> int:
    chosen = range(-axes, 0) if isinstance(axes, int) else np.atleast_1d(axes[0])
    return math.prod(a.shape[axis] for axis in chosen)


def by_einsum(subscripts: str, a: Array, b: Array, **options: object) -> int:
    terms, _, due = subscripts.partition("->")
    sizes = dict(zip(terms.replace(",", ""), (*a.shape, *b.shape), strict=True))
    return math.prod(size for index, size in sizes.items() if index not in due)


# For each product of arrays, how many pairs of numbers it sums for each number of its result.
SUMMED: dict[object, Callable[..., int]] = {
    np.matmul: lambda a, b, **_: a.shape[-1],
    np.dot: lambda a, b: a.shape[-1] if np.ndim(a) and np.ndim(b) else 0,
    np.inner: lambda a, b: a.shape[-1],
    np.tensordot: by_tensordot,
    np.einsum: by_einsum,
}

ArrayBox.register(Counting)
VSpace.register(Counting, ArrayVSpace)
