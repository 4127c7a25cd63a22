"""Reductions along both axes of a matrix, by operations of Keras."""

import keras
from keras import ops

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        self.centre = keras.Variable(weights["centre"])
        self.weights = [self.centre]

    def __call__(self, x: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        square = ops.square(x - self.centre)
        return ops.mean(square, axis=0), ops.max(square, axis=-1)

    def loss(self, x: keras.KerasTensor) -> keras.KerasTensor:
        means, largest = self(x)
        return ops.sum(means) + ops.mean(largest)
