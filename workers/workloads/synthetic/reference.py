"""A synthetic computation: output = w x, loss = sum(output). w is (1,), x is (batch, 1)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    return {"w": rng.standard_normal(1)}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, 1),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    return weights["w"] * x


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    return forward(parameters, weights, x).sum(), {"w": x.sum(axis=0)}


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    return batch
