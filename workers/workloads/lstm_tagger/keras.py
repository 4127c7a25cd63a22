"""A bidirectional LSTM that tags the tokens of sequences of varying length, in Keras.

A mask says which tokens are real. Its layers take the batch first, keep their kernels transposed, and have the gates in
the order of the reference: input, forget, cell, output.
"""

import keras
from keras import layers, losses, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        self.table = layers.Embedding(parameters["vocabulary"], parameters["width"])
        self.table.build()
        self.lstm = layers.Bidirectional(
            # Keras' own initializer, which is orthogonal, does not exist in bfloat16.
            layers.LSTM(
                parameters["hidden"],
                activation="tanh",
                recurrent_activation="sigmoid",
                recurrent_initializer="zeros",
                return_sequences=True,
                zero_output_for_mask=True,
            ),
            merge_mode="concat",
        )
        self.lstm.build((None, None, parameters["width"]))
        self.scores = layers.Dense(parameters["tags"])
        self.scores.build((None, None, 2 * parameters["hidden"]))
        self.weights = [v for layer in (self.table, self.lstm, self.scores) for v in layer.trainable_variables]
        table, *rest = weights.values()
        for variable, weight in zip(self.weights, [table, *map(ops.transpose, rest)], strict=True):
            variable.assign(weight)

    def __call__(
        self, tokens: keras.KerasTensor, lengths: keras.KerasTensor, tags: keras.KerasTensor
    ) -> keras.KerasTensor:
        states = self.lstm(self.table(ops.transpose(tokens)), mask=is_real(tokens, lengths))
        return ops.transpose(self.scores(states), (1, 0, 2))

    def loss(self, tokens: keras.KerasTensor, lengths: keras.KerasTensor, tags: keras.KerasTensor) -> keras.KerasTensor:
        scores = self(tokens, lengths, tags)
        each = losses.sparse_categorical_crossentropy(tags, scores, from_logits=True)
        real = ops.transpose(is_real(tokens, lengths))
        return ops.sum(ops.where(real, each, 0.0)) / ops.cast(ops.sum(lengths), each.dtype)

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        table, *rest = arrays
        return [table, *(each.T for each in rest)]


def is_real(tokens: keras.KerasTensor, lengths: keras.KerasTensor) -> keras.KerasTensor:
    """Return a mask, (batch, length)."""
    return ops.arange(ops.shape(tokens)[0]) < ops.cast(lengths, "int32")[:, None]
