"""A recommendation network in Keras: rows are embedded and added up, and one batched product covers all pairs."""

from itertools import combinations

import keras
from keras import layers, losses, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        tables, width = parameters["tables"], parameters["width"]
        pairs = list(combinations(range(1 + tables), 2))
        self.places = [one * (1 + tables) + other for one, other in pairs]
        self.tables = [layers.Embedding(parameters["entries"], width) for _ in range(tables)]
        for table in self.tables:
            table.build()
        self.below = keras.Sequential([keras.Input((parameters["dense"],)), layers.Dense(width, activation="relu")])
        above = [layers.Dense(parameters["hidden"], activation="relu"), layers.Dense(1)]
        self.above = keras.Sequential([keras.Input((width + len(pairs),)), *above])
        parts = [*self.tables, self.below, self.above]
        self.weights = [variable for part in parts for variable in part.trainable_variables]
        given = list(weights.values())
        for variable, weight in zip(self.weights, [*given[:tables], *map(ops.transpose, given[tables:])], strict=True):
            variable.assign(weight)

    def __call__(
        self, dense: keras.KerasTensor, indices: keras.KerasTensor, labels: keras.KerasTensor
    ) -> keras.KerasTensor:
        first = self.below(dense)
        bags = [ops.sum(table(indices[:, number]), axis=1) for number, table in enumerate(self.tables)]
        stacked = ops.stack([first, *bags], axis=1)
        products = ops.matmul(stacked, ops.transpose(stacked, (0, 2, 1)))
        chosen = ops.take(ops.reshape(products, (products.shape[0], -1)), self.places, axis=1)
        return ops.squeeze(self.above(ops.concatenate([first, chosen], axis=1)), axis=1)

    def loss(
        self, dense: keras.KerasTensor, indices: keras.KerasTensor, labels: keras.KerasTensor
    ) -> keras.KerasTensor:
        logits = self(dense, indices, labels)
        right = ops.cast(labels, logits.dtype)
        return losses.binary_crossentropy(right, logits, from_logits=True)

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        tables = len(self.tables)
        return [*arrays[:tables], *(each.T for each in arrays[tables:])]
