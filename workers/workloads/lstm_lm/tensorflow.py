"""An LSTM language model in TensorFlow: the loop over the steps becomes a while loop of the graph."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.hidden, self.length = parameters["hidden"], parameters["length"]
        self.weights = [tf.Variable(weight) for weight in weights.values()]

    def __call__(self, tokens: tf.Tensor) -> tf.Tensor:
        E, W_x, W_h, b, W_o, b_o = self.weights
        driven = tf.tensordot(tf.gather(E, tokens[:-1]), W_x, [[2], [1]]) + b
        h = c = tf.zeros((tokens.shape[1], self.hidden), driven.dtype)
        states = tf.TensorArray(driven.dtype, size=self.length, element_shape=h.shape)
        for step in tf.range(self.length):
            i, f, g, o = tf.split(driven[step] + tf.matmul(h, W_h, transpose_b=True), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            states = states.write(step, h)
        return tf.tensordot(states.stack(), W_o, [[2], [1]]) + b_o

    def loss(self, tokens: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[1:], self(tokens)))
