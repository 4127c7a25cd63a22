"""A Tree-LSTM over binary trees of different shapes, in Keras.

A Python loop adds a node to all trees of the batch at once. The nodes so far are one array, state and cell side by
side, from which the children of each new node are taken.
"""

import keras
from keras import layers, ops

from workers.arrays import Array
from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        hidden = parameters["hidden"]
        self.leaf, self.inner = layers.Dense(3 * hidden), layers.Dense(5 * hidden)
        self.leaf.build((None, None, parameters["input"]))
        self.inner.build((None, 2 * hidden))
        self.weights = [*self.leaf.trainable_variables, *self.inner.trainable_variables]
        for variable, weight in zip(self.weights, weights.values(), strict=True):
            variable.assign(ops.transpose(weight))

    def __call__(self, x: keras.KerasTensor, children: keras.KerasTensor) -> keras.KerasTensor:
        i, g, o = ops.split(self.leaf(x), 3, axis=2)
        c = ops.sigmoid(i) * ops.tanh(g)
        nodes = ops.concatenate([ops.sigmoid(o) * ops.tanh(c), c], axis=2)
        for step in range(children.shape[1]):
            taken = ops.take_along_axis(nodes, ops.expand_dims(children[:, step], 2), axis=1)
            h, c = self.join(*ops.unstack(taken, axis=1))
            nodes = ops.concatenate([nodes, ops.expand_dims(ops.concatenate([h, c], axis=1), 1)], axis=1)
        return h

    def join(self, left: keras.KerasTensor, right: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return state and cell of the nodes with these children."""
        (h_l, c_l), (h_r, c_r) = (ops.split(each, 2, axis=1) for each in (left, right))
        i, f_l, f_r, g, o = ops.split(self.inner(ops.concatenate([h_l, h_r], axis=1)), 5, axis=1)
        c = ops.sigmoid(i) * ops.tanh(g) + ops.sigmoid(f_l) * c_l + ops.sigmoid(f_r) * c_r
        return ops.sigmoid(o) * ops.tanh(c), c

    def loss(self, x: keras.KerasTensor, children: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.square(self(x, children)))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return [each.T for each in arrays]
