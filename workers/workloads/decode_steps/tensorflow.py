"""One step of a decoder in TensorFlow: its cache grows by concatenation."""

import tensorflow as tf

from workers.workloads.decode.tensorflow import Decoder, attended


class Model(Decoder):
    def __call__(
        self, tokens: tf.Tensor, keys: tf.Tensor, values: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        x = tf.gather(self.E, tokens)
        keys = tf.concat([keys, tf.tensordot(x, self.W_k, [[2], [1]])], axis=1)
        values = tf.concat([values, tf.tensordot(x, self.W_v, [[2], [1]])], axis=1)
        last = x[:, -1]
        seen = attended(tf.matmul(last, self.W_q, transpose_b=True), keys, values)
        scores = tf.matmul(last + tf.matmul(seen, self.W_o, transpose_b=True), self.U, transpose_b=True)
        return scores, tf.argmax(scores, axis=1, output_type=tokens.dtype)[:, tf.newaxis], keys, values
