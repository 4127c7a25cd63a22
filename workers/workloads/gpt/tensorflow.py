"""A generative transformer in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Transformer(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.layers, self.heads, self.head_width = (parameters[name] for name in ("layers", "heads", "head_width"))
        self.weights = [tf.Variable(weight) for weight in weights.values()]
        self.named = dict(zip(weights, self.weights, strict=True))

    def norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, self.named[f"shift{name}"], self.named[f"gain{name}"], 1e-5)

    def linear(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return tf.tensordot(x, self.named[f"W{name}"], [[2], [1]]) + self.named[f"b{name}"]


class Model(Transformer):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__(parameters, weights)
        self.is_seen = tf.linalg.band_part(tf.ones([parameters["length"]] * 2, tf.bool), -1, 0)

    def __call__(self, tokens: tf.Tensor) -> tf.Tensor:
        x = tf.gather(self.named["E"], tokens[:, :-1]) + self.named["P"]
        for block in range(self.layers):
            x = x + self.linear(self.attention(self.norm(x, f"_{block}_0"), block), f"_{block}_o")
            inner = self.linear(self.norm(x, f"_{block}_1"), f"_{block}_1")
            x = x + self.linear(tf.nn.gelu(inner, approximate=True), f"_{block}_2")
        return tf.tensordot(self.norm(x, ""), self.named["E"], [[2], [1]])

    def attention(self, x: tf.Tensor, block: int) -> tf.Tensor:
        batch, length, width = x.shape
        each = tf.reshape(self.linear(x, f"_{block}_qkv"), [batch, length, 3, self.heads, self.head_width])
        q, k, v = tf.unstack(tf.transpose(each, [2, 0, 3, 1, 4]))
        scores = tf.matmul(q, k, transpose_b=True) * self.head_width**-0.5
        shares = tf.nn.softmax(tf.where(self.is_seen, scores, tf.constant(float("-inf"), x.dtype)))
        return tf.reshape(tf.transpose(tf.matmul(shares, v), [0, 2, 1, 3]), [batch, length, width])

    def loss(self, tokens: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[:, 1:], self(tokens)))
