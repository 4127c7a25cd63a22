"""One convolution of images in Keras. With stride 1, `same` is one zero on each side."""

import keras
from keras import layers, ops

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        size, filters = parameters["size"], parameters["filters"]
        image = keras.Input((size, size, parameters["channels"]))
        self.network = keras.Sequential([image, layers.Conv2D(filters, 3, padding="same", use_bias=False)])
        self.network.set_weights([weights["W"]])
        self.weights = self.network.trainable_variables

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.network(x)

    def loss(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.square(self(x)))
