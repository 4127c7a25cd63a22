"""A recurrent block that is repeated until its halting scores add up to 1, in TensorFlow.

The loop becomes a while loop of the graph. Its options name the maximum number of steps, because XLA has to reserve
memory for what the gradients need.
"""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.maximum = parameters["maximum"]
        self.W_h = tf.Variable(weights["W_h"])
        self.W_x = tf.Variable(weights["W_x"])
        self.b = tf.Variable(weights["b"])
        self.w_p = tf.Variable(weights["w_p"])
        self.b_p = tf.Variable(weights["b_p"])
        self.weights = [self.W_h, self.W_x, self.b, self.w_p, self.b_p]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        driven = tf.matmul(x, self.W_x, transpose_b=True) + self.b
        h, mean, total, steps = tf.zeros_like(driven), tf.zeros_like(driven), tf.zeros((), x.dtype), 0
        while total < 1 and steps < self.maximum:
            tf.autograph.experimental.set_loop_options(maximum_iterations=self.maximum)
            h = tf.tanh(driven + tf.matmul(h, self.W_h, transpose_b=True))
            score = tf.sigmoid(tf.reduce_mean(tf.matmul(h, self.w_p, transpose_b=True) + self.b_p))
            mean += tf.minimum(score, 1 - total) * h
            total += score
            steps += 1
        return mean

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(self(x)))
