"""One step of a generative transformer in TensorFlow: its cache grows by concatenation."""

import tensorflow as tf

from workers.workloads.gpt.tensorflow import Transformer


class Model(Transformer):
    def __call__(
        self, tokens: tf.Tensor, keys: tf.Tensor, values: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        known, new = tf.shape(keys)[3], tf.shape(tokens)[1]
        places = tf.range(known + new)
        is_seen = places <= places[known:, tf.newaxis]
        x = tf.gather(self.named["E"], tokens) + self.named["P"][known : known + new]
        made = []
        for block in range(self.layers):
            inner = self.linear(self.norm(x, f"_{block}_0"), f"_{block}_qkv")
            each = tf.reshape(inner, [*tokens.shape[:1], -1, 3, self.heads, self.head_width])
            q, k, v = tf.unstack(tf.transpose(each, [2, 0, 3, 1, 4]))
            made.append((tf.concat([keys[block], k], axis=2), tf.concat([values[block], v], axis=2)))
            x = x + self.linear(self.look(q, *made[-1], is_seen), f"_{block}_o")
            inner = self.linear(self.norm(x, f"_{block}_1"), f"_{block}_1")
            x = x + self.linear(tf.nn.gelu(inner, approximate=True), f"_{block}_2")
        scores = tf.matmul(self.norm(x[:, -1], ""), self.named["E"], transpose_b=True)
        longer_keys, longer_values = map(tf.stack, zip(*made, strict=True))
        token = tf.argmax(scores, axis=1, output_type=tokens.dtype)[:, tf.newaxis]
        return scores, token, longer_keys, longer_values

    def look(self, q: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, is_seen: tf.Tensor) -> tf.Tensor:
        scores = tf.matmul(q, keys, transpose_b=True) * self.head_width**-0.5
        shares = tf.nn.softmax(tf.where(is_seen, scores, tf.constant(float("-inf"), q.dtype)))
        seen = tf.transpose(tf.matmul(shares, values), [0, 2, 1, 3])
        return tf.reshape(seen, [*seen.shape[:1], -1, self.heads * self.head_width])
