"""An LSTM language model in Keras, whose layers take the batch first and keep their kernels transposed.

Keras has the gates in the order of the reference: input, forget, cell, output.
"""

import keras
from keras import layers, losses, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        self.network = keras.Sequential(
            [
                keras.Input((None,), dtype="int64"),
                layers.Embedding(parameters["vocabulary"], parameters["width"]),
                # Keras' own initializer, which is orthogonal, does not exist in bfloat16.
                layers.LSTM(
                    parameters["hidden"],
                    activation="tanh",
                    recurrent_activation="sigmoid",
                    recurrent_initializer="zeros",
                    return_sequences=True,
                ),
                layers.Dense(parameters["vocabulary"]),
            ]
        )
        table, *rest = weights.values()
        self.network.set_weights([table, *map(ops.transpose, rest)])
        self.weights = self.network.trainable_variables

    def __call__(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        return ops.transpose(self.network(ops.transpose(tokens[:-1])), (1, 0, 2))

    def loss(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(losses.sparse_categorical_crossentropy(tokens[1:], self(tokens), from_logits=True))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        table, *rest = arrays
        return [table, *(each.T for each in rest)]
