"""An autoencoder with tied weights in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.weights = [tf.Variable(weight) for weight in weights.values()]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        W_0, b_0, W_1, b_1, c_1, c_0 = self.weights
        z = tf.matmul(tf.nn.relu(tf.matmul(x, W_0, transpose_b=True) + b_0), W_1, transpose_b=True) + b_1
        return tf.matmul(tf.nn.relu(tf.matmul(z, W_1) + c_1), W_0) + c_0

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.math.squared_difference(self(x), x))
