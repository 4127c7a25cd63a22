"""A recurrent network along a sequence in Keras. A layer takes the batch first and keeps its kernels transposed."""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        # Keras' own initializer, which is orthogonal, does not exist in bfloat16.
        options = {"activation": "tanh", "use_bias": False, "recurrent_initializer": "zeros"}
        self.layer = layers.SimpleRNN(parameters["hidden"], **options)
        self.layer.build((None, None, parameters["input"]))
        self.layer.set_weights([ops.transpose(weights[name]) for name in ("W_x", "W_h")])
        self.weights = self.layer.trainable_variables

    def __call__(self, xs: keras.KerasTensor, h: keras.KerasTensor) -> keras.KerasTensor:
        return self.layer(ops.transpose(xs, (1, 0, 2)), initial_state=h)

    def loss(self, xs: keras.KerasTensor, h: keras.KerasTensor) -> keras.KerasTensor:
        return ops.sum(self(xs, h))

    def to_reference(self, arrays: list[Array]) -> dict[str, Array]:
        return {"W_x": arrays[0].T, "W_h": arrays[1].T}
