"""The encoder of a transformer in Keras, with its layer for attention.

The layer has separate kernels for queries, keys and values, (width, heads, head_width), and every kernel is the
transpose of the reference's. The own epsilon of a normalisation would be 1e-3.
"""

from functools import partial
from itertools import chain

import keras
import numpy as np
from keras import activations, layers, losses, ops

from workers.arrays import Array
from workers.interfaces import Parameters

# The variables of a block: two normalisations, four dense parts of the attention, and two dense layers.
BLOCK_SIZE = 2 + 8 + 2 + 4


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        heads, head_width, self.blocks = (parameters[name] for name in ("heads", "head_width", "layers"))
        self.width = heads * head_width
        x = tokens = keras.Input((parameters["length"], self.width))
        for _ in range(self.blocks):
            inner = layers.LayerNormalization(epsilon=1e-5)(x)
            x = x + layers.MultiHeadAttention(heads, head_width)(inner, inner)
            inner = layers.LayerNormalization(epsilon=1e-5)(x)
            inner = layers.Dense(4 * self.width, activation=partial(activations.gelu, approximate=False))(inner)
            x = x + layers.Dense(self.width)(inner)
        x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-5)(x))
        self.network = keras.Model(tokens, layers.Dense(parameters["classes"])(x))
        self.weights = self.network.trainable_variables
        for variable, weight in zip(self.weights, split_projections(weights), strict=True):
            variable.assign(ops.reshape(ops.transpose(weight), variable.shape))

    def __call__(self, x: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
        return self.network(x)

    def loss(self, x: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(losses.sparse_categorical_crossentropy(labels, self(x, labels), from_logits=True))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        made: list[Array] = []
        for block in range(self.blocks):
            gain, shift, *own = arrays[BLOCK_SIZE * block : BLOCK_SIZE * (block + 1)]
            made += [gain, shift, *join_projections(own[:6], self.width), own[6].reshape(self.width, self.width).T]
            made += [each.T for each in own[7:]]
        return made + [each.T for each in arrays[BLOCK_SIZE * self.blocks :]]


def split_projections(weights: dict[str, keras.KerasTensor]) -> list[keras.KerasTensor]:
    """Return the weights in the order of the layers: kernel and bias of all queries, of all keys, of all values."""
    parts: list[keras.KerasTensor] = []
    for name, weight in weights.items():
        if name.startswith("W") and name.endswith("_qkv"):
            biases = ops.split(weights[f"b{name.removeprefix('W')}"], 3)
            parts += chain.from_iterable(zip(ops.split(weight, 3), biases, strict=True))
        elif not name.endswith("_qkv"):
            parts.append(weight)
    return parts


def join_projections(arrays: list[Array], width: int) -> tuple[Array, Array]:
    """Return the kernels of queries, keys and values as one of the reference, and their biases as one."""
    kernels = np.concatenate([each.reshape(width, width).T for each in arrays[::2]])
    return kernels, np.concatenate([each.reshape(width) for each in arrays[1::2]])
