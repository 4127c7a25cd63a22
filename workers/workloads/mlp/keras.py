"""A plain static network in Keras. A layer keeps its kernel transposed: (before, after)."""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        inner = [layers.Dense(parameters["width"], activation="relu") for _ in range(parameters["depth"] - 1)]
        self.network = keras.Sequential(
            [keras.Input((parameters["input"],)), *inner, layers.Dense(parameters["output"])]
        )
        self.network.set_weights([ops.transpose(weight) for weight in weights.values()])
        self.weights = self.network.trainable_variables

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.network(x)

    def loss(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.square(self(x)))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return [each.T for each in arrays]
