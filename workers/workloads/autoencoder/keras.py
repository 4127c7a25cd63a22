"""An autoencoder in Keras, whose decoder has layers on the transposed kernels of the encoder."""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Transposed(layers.Layer):
    """A dense layer with the kernel of another one, transposed."""

    def __init__(self, tied: layers.Dense, activation: str | None = None) -> None:
        super().__init__()
        self.tied, self.activation = tied, keras.activations.get(activation)
        self.bias = self.add_weight((tied.kernel.shape[0],), name="bias")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.activation(ops.matmul(x, ops.transpose(self.tied.kernel)) + self.bias)


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        hidden, code = layers.Dense(parameters["hidden"], activation="relu"), layers.Dense(parameters["code"])
        data = keras.Input((parameters["input"],))
        encoder = keras.Sequential([data, hidden, code])
        decoder = [Transposed(code, "relu"), Transposed(hidden)]
        self.network = keras.Sequential([data, *encoder.layers, *decoder])
        self.weights = [*encoder.trainable_variables, *(layer.bias for layer in decoder)]
        for variable, weight in zip(self.weights, weights.values(), strict=True):
            variable.assign(ops.transpose(weight))

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.network(x)

    def loss(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.square(self(x) - x))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return [each.T for each in arrays]
