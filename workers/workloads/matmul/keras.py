"""One matrix product in Keras: a layer without bias."""

import keras
from keras import layers, ops

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        size = parameters["size"]
        self.network = keras.Sequential([keras.Input((size,)), layers.Dense(size, use_bias=False)])
        self.network.set_weights([weights["W"]])
        self.weights = self.network.trainable_variables

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.network(x)

    def loss(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.square(self(x)))
