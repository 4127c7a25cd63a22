"""A small convolutional network in TensorFlow. With stride 1, SAME is one zero on each side."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor], *, channels_first: bool = False) -> None:
        super().__init__()
        self.order = "NCHW" if channels_first else "NHWC"
        self.weights = [tf.Variable(weight) for weight in weights.values()]

    def __call__(self, x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        K_0, b_0, K_1, b_1, W, b = self.weights
        for K, bias in ((K_0, b_0), (K_1, b_1)):
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, K, 1, "SAME", self.order), bias, self.order))
            x = tf.nn.max_pool2d(x, 2, 2, "VALID", self.order)
        # The weights of the last layer have the reference's order.
        x = tf.transpose(x, [0, 2, 3, 1]) if self.order == "NCHW" else x
        return tf.matmul(tf.reshape(x, [x.shape[0], -1]), W, transpose_b=True) + b

    def loss(self, x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, self(x, labels)))
