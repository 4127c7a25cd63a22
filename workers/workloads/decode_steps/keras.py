"""One step of a decoder in Keras: its cache grows by concatenation.

Every kernel is the transpose of the reference's.
"""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        vocabulary, width = parameters["vocabulary"], parameters["width"]
        self.root = width**0.5
        self.table = layers.Embedding(vocabulary, width)
        self.query, self.key, self.value, self.out = (layers.Dense(width, use_bias=False) for _ in range(4))
        self.scores = layers.Dense(vocabulary, use_bias=False)
        self.table.build()
        dense = (self.query, self.key, self.value, self.out, self.scores)
        for layer in dense:
            layer.build((None, width))
        self.weights = [variable for layer in (self.table, *dense) for variable in layer.trainable_variables]
        table, *rest = weights.values()
        for variable, weight in zip(self.weights, [table, *map(ops.transpose, rest)], strict=True):
            variable.assign(weight)

    def __call__(
        self, tokens: keras.KerasTensor, keys: keras.KerasTensor, values: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, ...]:
        x = self.table(tokens)
        keys = ops.concatenate([keys, self.key(x)], axis=1)
        values = ops.concatenate([values, self.value(x)], axis=1)
        last = x[:, -1]
        looks = ops.einsum("bkw,bw->bk", keys, self.query(last)) / self.root
        seen = ops.einsum("bk,bkw->bw", ops.softmax(looks), values)
        scores = self.scores(last + self.out(seen))
        return scores, ops.cast(ops.argmax(scores, axis=1, keepdims=True), tokens.dtype), keys, values

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        table, *rest = arrays
        return [table, *(each.T for each in rest)]
