"""A decoder that generates one token at a time, in Keras: a Python loop, in which the cache grows."""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Decoder:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        vocabulary, width, self.steps = (parameters[name] for name in ("vocabulary", "width", "steps"))
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

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        table, *rest = arrays
        return [table, *(each.T for each in rest)]


class Model(Decoder):
    def __call__(self, prompt: keras.KerasTensor) -> keras.KerasTensor:
        x, token = self.table(prompt[:, :-1]), prompt[:, -1]
        keys, values, scores = self.key(x), self.value(x), []
        for _ in range(self.steps):
            x = self.table(token)
            keys = ops.concatenate([keys, ops.expand_dims(self.key(x), 1)], axis=1)
            values = ops.concatenate([values, ops.expand_dims(self.value(x), 1)], axis=1)
            looks = ops.einsum("bkw,bw->bk", keys, self.query(x)) / self.root
            seen = ops.einsum("bk,bkw->bw", ops.softmax(looks), values)
            scores.append(self.scores(x + self.out(seen)))
            token = ops.argmax(scores[-1], axis=1)
        return ops.stack(scores)

    def loss(self, prompt: keras.KerasTensor) -> keras.KerasTensor:
        scores = self(prompt)
        return ops.mean(ops.logsumexp(scores, axis=2) - ops.max(scores, axis=2))
