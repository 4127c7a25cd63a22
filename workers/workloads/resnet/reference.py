"""A residual network of basic blocks (He et al. 2015): with two blocks in each of its four stages, ResNet-18.

x is (batch, size, size, 3) and labels (batch,). The stem is a convolution of 3 x 3, or with `large_stem` one of 7 x 7
with stride 2, and pooling of 3 x 3 with stride 2 after it. Stage i has 2^i times the width and, but for the first,
halves the image. A unit is a convolution of 3 x 3 and a normalisation, and a block is
relu(unit_2(relu(unit_1(x))) + x); if it halves or widens the image, a unit of 1 x 1 replaces the last x. The mean over
all pixels and a linear layer follow: the outputs are the logits, loss = cross entropy. A convolution of k x k has
(k - 1) / 2 zeros on each side, also with stride 2, for which TensorFlow's SAME has one less on the first side.

normalised(x) = (x - mean) / sqrt(variance + 1e-5) gain + shift, for each channel. The outputs use the `running_` mean
and variance. The loss uses those of the batch, over all n pixels of all images, the variance divided by n. In training
the running ones become 0.9 of themselves plus 0.1 of the batch's, the variance then divided by n - 1. With a batch of
one, `size` must therefore leave the last stage more than one pixel: 9 and more, or 33 with `large_stem`.

Images and kernels have the layout of `cnn`.
"""

from collections.abc import Callable, Iterator, Mapping

import autograd.numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters, Shapes
from workers.references.formulas import cross_entropy, relu
from workers.references.images import convolve_2d, max_pool_2d

EPSILON = 1e-5
MOMENTUM = 0.1
STAGES = 4

# Normalises the maps of the unit of this name.
Normalise = Callable[[Array, str], Array]


def units(parameters: Parameters) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield each convolution with its normalisation: name, size, channels before and after, pixels along a side."""
    width, pixels = parameters["width"], stem_pixels(parameters)
    yield "stem", 7 if parameters["large_stem"] else 3, 3, width, pixels
    pixels = halved(pixels) if parameters["large_stem"] else pixels
    before = width
    for stage in range(STAGES):
        after, pixels = width << stage, halved(pixels) if stage else pixels
        for block in range(parameters["blocks"]):
            yield f"{stage}_{block}_1", 3, before, after, pixels
            yield f"{stage}_{block}_2", 3, after, after, pixels
            if before != after:
                yield f"{stage}_{block}_shortcut", 1, before, after, pixels
            before = after


def stem_pixels(parameters: Parameters) -> int:
    return halved(parameters["size"]) if parameters["large_stem"] else parameters["size"]


def halved(pixels: int) -> int:
    return (pixels + 1) // 2


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    drawn = {}
    for name, size, before, after, _ in units(parameters):
        drawn[f"K_{name}"] = rng.standard_normal((size, size, before, after)) * (2 / (size**2 * before)) ** 0.5
        drawn[f"gain_{name}"] = rng.uniform(0.5, 1.5, after)
        drawn[f"shift_{name}"] = rng.standard_normal(after) * 0.1
        drawn[f"running_mean_{name}"] = rng.standard_normal(after) * 0.1
        drawn[f"running_variance_{name}"] = rng.uniform(1, 3, after)
    features, classes = parameters["width"] << STAGES - 1, parameters["classes"]
    drawn["W"] = rng.standard_normal((classes, features)) / features**0.5
    drawn["b"] = rng.standard_normal(classes) * 0.1
    return drawn


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["size"], parameters["size"], 3), (batch,)),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    images, labels = shapes
    return rng.standard_normal(images), rng.integers(parameters["classes"], size=labels)


def network(parameters: Parameters, weights: Mapping[str, Array], x: Array, normalise: Normalise) -> Array:
    def unit(x: Array, name: str, stride: int) -> Array:
        kernel = weights[f"K_{name}"]
        maps = normalise(convolve_2d(x, kernel, stride, kernel.shape[0] // 2), name)
        return maps * weights[f"gain_{name}"] + weights[f"shift_{name}"]

    x = relu(unit(x, "stem", 2 if parameters["large_stem"] else 1))
    x = max_pool_2d(x, 3, 2, 1) if parameters["large_stem"] else x
    for stage, block in np.ndindex(STAGES, parameters["blocks"]):
        name, stride = f"{stage}_{block}", 2 if stage and not block else 1
        shortcut = unit(x, f"{name}_shortcut", stride) if f"K_{name}_shortcut" in weights else x
        x = relu(unit(relu(unit(x, f"{name}_1", stride)), f"{name}_2", 1) + shortcut)
    return np.sum(x, axis=(1, 2)) / (x.shape[1] * x.shape[2]) @ weights["W"].T + weights["b"]


def moments(x: Array) -> tuple[Array, Array, int]:
    """Return mean and variance of each channel, and the number of values behind them."""
    number = x.size // x.shape[3]
    mean = np.sum(x, axis=(0, 1, 2)) / number
    return mean, np.sum((x - mean) ** 2, axis=(0, 1, 2)) / number, number


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array, labels: Array) -> Array:
    def normalise(x: Array, name: str) -> Array:
        return (x - weights[f"running_mean_{name}"]) / np.sqrt(weights[f"running_variance_{name}"] + EPSILON)

    return network(parameters, weights, x, normalise)


def loss(parameters: Parameters, weights: Mapping[str, Array], x: Array, labels: Array) -> Array:
    def normalise(x: Array, name: str) -> Array:
        mean, variance, _ = moments(x)
        return (x - mean) / np.sqrt(variance + EPSILON)

    return cross_entropy(network(parameters, weights, x, normalise), labels)


backward = gradients_of(loss)


def statistics(parameters: Parameters, weights: Mapping[str, Array], x: Array, labels: Array) -> dict[str, Array]:
    moved = {}

    def normalise(x: Array, name: str) -> Array:
        mean, variance, number = moments(x)
        for each, new in (("mean", mean), ("variance", variance * (number / (number - 1)))):
            moved[f"running_{each}_{name}"] = (1 - MOMENTUM) * weights[f"running_{each}_{name}"] + MOMENTUM * new
        return (x - mean) / np.sqrt(variance + EPSILON)

    network(parameters, weights, x, normalise)
    return moved


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    products = [
        2 * batch * pixels**2 * size**2 * before * after for _, size, before, after, pixels in units(parameters)
    ]
    products.append(2 * batch * (parameters["width"] << STAGES - 1) * parameters["classes"])
    return sum(products) if task == "forward" else 3 * sum(products) - products[0]
