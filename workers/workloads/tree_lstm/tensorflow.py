"""A Tree-LSTM over binary trees of different shapes, in TensorFlow.

While loops of the graph run over the trees, and over the nodes of each tree. A TensorArray holds the state and the cell
of every node, side by side, and the children of a node are read from it.
"""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.W_x = tf.Variable(weights["W_x"])
        self.b_x = tf.Variable(weights["b_x"])
        self.W_h = tf.Variable(weights["W_h"])
        self.b_h = tf.Variable(weights["b_h"])
        self.weights = [self.W_x, self.b_x, self.W_h, self.b_h]

    def __call__(self, x: tf.Tensor, children: tf.Tensor) -> tf.Tensor:
        i, g, o = tf.split(tf.tensordot(x, self.W_x, [[2], [1]]) + self.b_x, 3, axis=2)
        c = tf.sigmoid(i) * tf.tanh(g)
        leaves = tf.concat([tf.sigmoid(o) * tf.tanh(c), c], axis=2)
        roots = tf.TensorArray(x.dtype, x.shape[0], element_shape=c.shape[2:])
        for tree in tf.range(x.shape[0]):
            roots = roots.write(tree, self.root(leaves[tree], tf.cast(children[tree], tf.int32)))
        return roots.stack()

    def root(self, leaves: tf.Tensor, pairs: tf.Tensor) -> tf.Tensor:
        count, size = leaves.shape
        nodes = tf.TensorArray(leaves.dtype, 2 * count - 1, element_shape=(size,), clear_after_read=False)
        nodes = nodes.scatter(tf.range(count), leaves)
        for node in tf.range(count - 1):
            h_l, c_l = tf.split(nodes.read(pairs[node, 0]), 2, axis=0)
            h_r, c_r = tf.split(nodes.read(pairs[node, 1]), 2, axis=0)
            gates = tf.linalg.matvec(self.W_h, tf.concat([h_l, h_r], axis=0)) + self.b_h
            i, f_l, f_r, g, o = tf.split(gates, 5, axis=0)
            c = tf.sigmoid(i) * tf.tanh(g) + tf.sigmoid(f_l) * c_l + tf.sigmoid(f_r) * c_r
            nodes = nodes.write(count + node, tf.concat([tf.sigmoid(o) * tf.tanh(c), c], axis=0))
        h, _ = tf.split(nodes.read(2 * count - 2), 2, axis=0)
        return h

    def loss(self, x: tf.Tensor, children: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(self(x, children)))
