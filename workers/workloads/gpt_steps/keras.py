"""One step of a generative transformer in Keras: its cache grows by concatenation.

Every kernel is the transpose of the reference's. The own epsilon of a normalisation would be 1e-3.
"""

from functools import partial

import keras
from keras import activations, layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters

# The embeddings of tokens and of positions, which are no kernels.
TABLES = 2


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        self.heads, self.head_width = parameters["heads"], parameters["head_width"]
        self.width = self.heads * self.head_width
        self.tokens = layers.ReversibleEmbedding(parameters["vocabulary"], self.width)
        self.positions = layers.Embedding(len(weights["P"]), self.width)
        for table in (self.tokens, self.positions):
            table.build()
        self.blocks = [self.make_block() for _ in range(parameters["layers"])]
        self.last = self.make_norm()
        parts = [self.tokens, self.positions, *(layer for block in self.blocks for layer in block), self.last]
        self.weights = [variable for part in parts for variable in part.trainable_variables]
        tables, rest = [*weights.values()][:TABLES], [*weights.values()][TABLES:]
        for variable, weight in zip(self.weights, [*tables, *map(ops.transpose, rest)], strict=True):
            variable.assign(weight)

    def make_block(self) -> tuple[layers.Layer, ...]:
        wide = 4 * self.width
        up = layers.Dense(wide, activation=partial(activations.gelu, approximate=True))
        dense = [(layers.Dense(3 * self.width), self.width), (layers.Dense(self.width), self.width)]
        dense += [(up, self.width), (layers.Dense(self.width), wide)]
        for layer, before in dense:
            layer.build((None, before))
        (qkv, _), (out, _), _, (down, _) = dense
        return self.make_norm(), qkv, out, self.make_norm(), up, down

    def make_norm(self) -> layers.Layer:
        norm = layers.LayerNormalization(epsilon=1e-5)
        norm.build((None, self.width))
        return norm

    def __call__(
        self, tokens: keras.KerasTensor, keys: keras.KerasTensor, values: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, ...]:
        batch, known, new = tokens.shape[0], ops.shape(keys)[3], ops.shape(tokens)[1]
        places = ops.arange(known, known + new)
        is_seen = ops.arange(known + new) <= ops.expand_dims(places, 1)
        x, longer = self.tokens(tokens) + self.positions(places), []
        for number, (norm_0, qkv, out, norm_1, up, down) in enumerate(self.blocks):
            each = ops.reshape(qkv(norm_0(x)), (batch, new, 3, self.heads, self.head_width))
            q, k, v = ops.unstack(ops.transpose(each, (2, 0, 3, 1, 4)), 3)
            cache = (ops.concatenate([keys[number], k], axis=2), ops.concatenate([values[number], v], axis=2))
            longer.append(cache)
            scores = ops.matmul(q, ops.swapaxes(cache[0], 2, 3)) / self.head_width**0.5
            shares = ops.softmax(ops.where(is_seen, scores, float("-inf")))
            seen = ops.transpose(ops.matmul(shares, cache[1]), (0, 2, 1, 3))
            x = x + out(ops.reshape(seen, (batch, new, self.width)))
            x = x + down(up(norm_1(x)))
        scores = self.tokens(self.last(x[:, -1]), reverse=True)
        token = ops.cast(ops.argmax(scores, axis=1, keepdims=True), tokens.dtype)
        return scores, token, *map(ops.stack, zip(*longer, strict=True))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return [*arrays[:TABLES], *(each.T for each in arrays[TABLES:])]
