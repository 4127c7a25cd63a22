"""One step of a decoder in TensorFlow: its cache grows by concatenation."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.weights = [tf.Variable(weight) for weight in weights.values()]
        self.E, self.W_q, self.W_k, self.W_v, self.W_o, self.U = self.weights
        self.root = parameters["width"] ** 0.5

    def __call__(
        self, tokens: tf.Tensor, keys: tf.Tensor, values: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        x = tf.gather(self.E, tokens)
        keys = tf.concat([keys, tf.tensordot(x, self.W_k, [[2], [1]])], axis=1)
        values = tf.concat([values, tf.tensordot(x, self.W_v, [[2], [1]])], axis=1)
        last = x[:, -1]
        shares = tf.nn.softmax(tf.linalg.matvec(keys, tf.matmul(last, self.W_q, transpose_b=True)) / self.root)
        seen = tf.linalg.matvec(values, shares, transpose_a=True)
        scores = tf.matmul(last + tf.matmul(seen, self.W_o, transpose_b=True), self.U, transpose_b=True)
        return scores, tf.argmax(scores, axis=1, output_type=tokens.dtype)[:, tf.newaxis], keys, values
