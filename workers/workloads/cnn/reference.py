"""A small convolutional network: two convolutions with ReLU and max pooling, and a linear layer.

x is (batch, size, size, channels) and labels (batch,); K_0 is (3, 3, channels, width), K_1 (3, 3, width, 2 width), with
one zero of padding on each side. Pooling takes the largest of 2 x 2 pixels and drops a last odd row or column. The maps
are flattened in the order row, column, channel; W is (classes, features). The outputs are the logits, loss = cross
entropy.

Images are channels last in every framework. TensorFlow and JAX compute in this layout. PyTorch calls it channels_last:
it views the images and computes on them without a copy. On one core, a few images or more take between half the time
of channels first and the same time; a single tiny image takes up to a quarter more. Kernels are brought into each
framework's layout when the model is built, and their gradients are compared after all timing.
"""

from collections.abc import Mapping

import autograd.numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters, Shapes
from workers.references.formulas import cross_entropy, relu
from workers.references.images import convolve_2d, max_pool_2d


def features(parameters: Parameters) -> int:
    return (parameters["size"] // 4) ** 2 * 2 * parameters["width"]


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    width, classes = parameters["width"], parameters["classes"]
    drawn = {}
    for layer, (before, after) in enumerate(((parameters["channels"], width), (width, 2 * width))):
        drawn[f"K_{layer}"] = rng.standard_normal((3, 3, before, after)) * (2 / (9 * before)) ** 0.5
        drawn[f"b_{layer}"] = rng.standard_normal(after) * 0.1
    drawn["W"] = rng.standard_normal((classes, features(parameters))) / features(parameters) ** 0.5
    drawn["b"] = rng.standard_normal(classes) * 0.1
    return drawn


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    size = parameters["size"]
    return (((batch, size, size, parameters["channels"]), (batch,)),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    images, labels = shapes
    return rng.standard_normal(images), rng.integers(parameters["classes"], size=labels)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array, labels: Array) -> Array:
    for layer in (0, 1):
        x = max_pool_2d(relu(convolve_2d(x, weights[f"K_{layer}"], 1, 1) + weights[f"b_{layer}"]), 2, 2, 0)
    return x.reshape(len(x), -1) @ weights["W"].T + weights["b"]


def loss(parameters: Parameters, weights: Mapping[str, Array], x: Array, labels: Array) -> Array:
    return cross_entropy(forward(parameters, weights, x, labels), labels)


backward = gradients_of(loss)


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    size, width, classes = parameters["size"], parameters["width"], parameters["classes"]
    first = 2 * batch * size**2 * 9 * parameters["channels"] * width
    second = 2 * batch * (size // 2) ** 2 * 9 * width * 2 * width
    forward = first + second + 2 * batch * features(parameters) * classes
    return forward if task == "forward" else 3 * forward - first
