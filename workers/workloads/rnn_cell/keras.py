"""One step of a recurrent network in Keras. A cell keeps its kernels transposed, and its states are rows."""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        # Keras' own initializer, which is orthogonal, does not exist in bfloat16.
        options = {"activation": "tanh", "use_bias": False, "recurrent_initializer": "zeros"}
        self.cell = layers.SimpleRNNCell(parameters["hidden"], **options)
        self.cell.build((None, parameters["input"]))
        self.cell.set_weights([ops.transpose(weights[name]) for name in ("W_x", "W_h")])
        self.weights = self.cell.trainable_variables

    def __call__(self, x: keras.KerasTensor, prev_h: keras.KerasTensor) -> keras.KerasTensor:
        next_h, _ = self.cell(x, [prev_h])
        return ops.transpose(next_h)

    def loss(self, x: keras.KerasTensor, prev_h: keras.KerasTensor) -> keras.KerasTensor:
        return ops.sum(self(x, prev_h))

    def to_reference(self, arrays: list[Array]) -> dict[str, Array]:
        return {"W_x": arrays[0].T, "W_h": arrays[1].T}
