"""Rows of a table, gathered by an embedding and summed into bins by segment_sum, in Keras."""

import keras
from keras import layers, ops

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        self.bins, self.pairs = parameters["bins"], parameters["pairs"]
        self.table = layers.Embedding(parameters["entries"], parameters["width"])
        self.table.build()
        self.table.set_weights([weights["table"]])
        self.weights = self.table.trainable_variables

    def __call__(self, pairs: keras.KerasTensor, bins: keras.KerasTensor) -> keras.KerasTensor:
        left, right = ops.unstack(self.table(pairs), axis=1)
        return ops.segment_sum(left * right, bins, self.bins)

    def loss(self, pairs: keras.KerasTensor, bins: keras.KerasTensor) -> keras.KerasTensor:
        return ops.sum(ops.square(self(pairs, bins))) / (pairs.shape[0] // self.pairs)
