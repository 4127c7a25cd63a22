"""A recurrent block that is repeated until its halting scores add up to 1, in Keras: a while_loop of its operations."""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.errors import Unsupported
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        hidden, self.maximum = parameters["hidden"], parameters["maximum"]
        self.recurrent, self.driven = layers.Dense(hidden, use_bias=False), layers.Dense(hidden)
        self.score = layers.Dense(1)
        self.recurrent.build((None, hidden))
        self.driven.build((None, parameters["input"]))
        self.score.build((None, hidden))
        self.weights = [v for layer in (self.recurrent, self.driven, self.score) for v in layer.trainable_variables]
        for variable, weight in zip(self.weights, weights.values(), strict=True):
            variable.assign(ops.transpose(weight))

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        driven = self.driven(x)
        h = mean = ops.zeros_like(driven)

        def is_below_one(h: keras.KerasTensor, mean: keras.KerasTensor, total: keras.KerasTensor) -> keras.KerasTensor:
            return total < 1

        def step(
            h: keras.KerasTensor, mean: keras.KerasTensor, total: keras.KerasTensor
        ) -> tuple[keras.KerasTensor, ...]:
            h = ops.tanh(driven + self.recurrent(h))
            score = ops.sigmoid(ops.mean(self.score(h)))
            return h, mean + ops.minimum(score, 1 - total) * h, total + score

        state = (h, mean, ops.zeros((), driven.dtype))
        return ops.while_loop(is_below_one, step, state, maximum_iterations=self.maximum)[1]

    def loss(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if keras.backend.backend() == "jax":
            raise Unsupported(
                "keras.ops.while_loop is lax.while_loop here, and JAX does not differentiate it in reverse"
            )
        return ops.mean(ops.square(self(x)))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return [each.T for each in arrays]
