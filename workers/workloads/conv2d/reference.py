"""One convolution of images with a kernel of 3 x 3, with a hand-derived gradient.

output[n, r, c] = sum over i, j in 0..2 of x[n, r + i - 1, c + j - 1] W[i, j], with x = 0 beyond the edges (padding 1,
stride 1, no bias). loss = mean(output^2). x is (batch, size, size, channels), W (3, 3, channels, filters), the output
(batch, size, size, filters).

Images and kernel have the layout of TensorFlow and JAX. To PyTorch this is the memory format channels_last, in which
its convolutions are fastest on a CPU too. It views both in its order of axes and copies neither.

A product with a zero beyond the edges does not count as work: along an axis, 3 size - 2 of the 3 size pairs remain.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    channels, filters = parameters["channels"], parameters["filters"]
    return {"W": rng.standard_normal((3, 3, channels, filters)) / np.sqrt(9 * channels)}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["size"], parameters["size"], parameters["channels"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def spans(size: int) -> list[tuple[slice, slice]]:
    """Return, for each place in the kernel along an axis, where its products go to and where they come from."""
    return [(slice(max(0, -by), size - max(0, by)), slice(max(0, by), size + min(0, by))) for by in (-1, 0, 1)]


def taps(size: int) -> Iterator[tuple[tuple[int, int], Any, Any]]:
    """Yield each place in the kernel, the part of the output that it reaches and the part of the images it sees."""
    for i, (rows, from_rows) in enumerate(spans(size)):
        for j, (columns, from_columns) in enumerate(spans(size)):
            yield (i, j), np.s_[:, rows, columns], np.s_[:, from_rows, from_columns]


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    output = np.zeros((*x.shape[:3], parameters["filters"]), x.dtype)
    for place, reached, seen in taps(parameters["size"]):
        output[reached] += x[seen] @ weights["W"][place]
    return output


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    output = forward(parameters, weights, x)
    gradient, upstream = np.empty_like(weights["W"]), 2 * output / output.size
    for place, reached, seen in taps(parameters["size"]):
        gradient[place] = in_rows(x[seen]).T @ in_rows(upstream[reached])
    return (output * output).mean(), {"W": gradient}


def in_rows(images: Array) -> Array:
    """Reshape images to one row for each point."""
    return images.reshape(-1, images.shape[-1])


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    pairs = (3 * parameters["size"] - 2) ** 2
    product = 2 * batch * pairs * parameters["channels"] * parameters["filters"]
    return product if task == "forward" else 2 * product
