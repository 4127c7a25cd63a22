"""Reductions along both axes of a matrix, with a hand-derived gradient.

square = (x - centre)^2; the outputs are the mean of each of its columns and the largest of each of its rows;
loss = sum(means) + mean(largest). x is (batch rows, width), centre and the means are (width,), the largest
(batch rows,). If several are largest, one of them gets the gradient.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    return {"centre": rng.standard_normal(parameters["width"])}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch * parameters["rows"], parameters["width"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Array, Array]:
    square = np.square(x - weights["centre"])
    return square.mean(axis=0), square.max(axis=-1)


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    apart = x - weights["centre"]
    square = np.square(apart)
    places = square.argmax(axis=-1)
    row = np.arange(len(x))
    slopes = -2 * apart.sum(axis=0)
    np.add.at(slopes, places, -2 * apart[row, places])
    return square.mean(axis=0).sum() + square[row, places].mean(), {"centre": slopes / len(x)}


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    return 0
