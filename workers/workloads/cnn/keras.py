"""A small convolutional network in Keras. With stride 1, `same` is one zero on each side."""

import keras
from keras import layers, losses, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        size, width = parameters["size"], parameters["width"]
        self.network = keras.Sequential(
            [
                keras.Input((size, size, parameters["channels"])),
                layers.Conv2D(width, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(2 * width, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(parameters["classes"]),
            ]
        )
        self.network.set_weights([*list(weights.values())[:4], ops.transpose(weights["W"]), weights["b"]])
        self.weights = self.network.trainable_variables

    def __call__(self, x: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
        return self.network(x)

    def loss(self, x: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(losses.sparse_categorical_crossentropy(labels, self(x, labels), from_logits=True))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return [*arrays[:4], arrays[4].T, arrays[5]]
