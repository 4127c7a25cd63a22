"""Layer normalisation along rows in TensorFlow, which has no operation for it."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.gain = tf.Variable(weights["gain"])
        self.shift = tf.Variable(weights["shift"])
        self.weights = [self.gain, self.shift]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return self.gain * ((x - mean) * tf.math.rsqrt(variance + 1e-5)) + self.shift

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.reduce_sum(tf.square(self(x)), axis=-1))
