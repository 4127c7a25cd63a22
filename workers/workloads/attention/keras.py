"""One layer of self-attention in Keras: a dense layer for queries, keys and values, and the operation on them.

The layer MultiHeadAttention has an output projection, which is not part of this workload.
"""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        self.heads, self.head_width = parameters["heads"], parameters["head_width"]
        width = self.heads * self.head_width
        self.projection = layers.Dense(3 * width)
        self.projection.build((None, None, width))
        self.projection.set_weights([ops.transpose(weights["W"]), weights["b"]])
        self.weights = self.projection.trainable_variables

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        batch, length, width = x.shape
        each = ops.reshape(self.projection(x), (batch, length, 3, self.heads, self.head_width))
        q, k, v = ops.unstack(each, axis=2)
        return ops.reshape(ops.dot_product_attention(q, k, v), (batch, length, width))

    def loss(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.square(self(x)))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return [each.T for each in arrays]
