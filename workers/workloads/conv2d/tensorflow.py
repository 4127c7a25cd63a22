"""One convolution of images in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor], *, channels_first: bool = False) -> None:
        super().__init__()
        self.order = "NCHW" if channels_first else "NHWC"
        self.W = tf.Variable(weights["W"])
        self.weights = [self.W]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(x, self.W, strides=1, padding="SAME", data_format=self.order)

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(self(x)))
