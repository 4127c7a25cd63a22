"""A decoder that generates one token at a time, in TensorFlow: a while loop of the graph, in which the cache grows."""

import tensorflow as tf

from workers.interfaces import Parameters


class Decoder(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.steps, self.width = parameters["steps"], parameters["width"]
        self.weights = [tf.Variable(weight) for weight in weights.values()]
        self.E, self.W_q, self.W_k, self.W_v, self.W_o, self.U = self.weights


class Model(Decoder):
    def __call__(self, prompt: tf.Tensor) -> tf.Tensor:
        x, token = tf.gather(self.E, prompt[:, :-1]), prompt[:, -1]
        keys, values = tf.tensordot(x, self.W_k, [[2], [1]]), tf.tensordot(x, self.W_v, [[2], [1]])
        growing = tf.TensorShape([prompt.shape[0], None, self.width])
        made = tf.TensorArray(x.dtype, self.steps, element_shape=(prompt.shape[0], self.U.shape[0]))
        for step in tf.range(self.steps):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(keys, growing), (values, growing)])
            x = tf.gather(self.E, token)
            keys = tf.concat([keys, tf.matmul(x, self.W_k, transpose_b=True)[:, tf.newaxis]], axis=1)
            values = tf.concat([values, tf.matmul(x, self.W_v, transpose_b=True)[:, tf.newaxis]], axis=1)
            seen = attended(tf.matmul(x, self.W_q, transpose_b=True), keys, values)
            scores = tf.matmul(x + tf.matmul(seen, self.W_o, transpose_b=True), self.U, transpose_b=True)
            token = tf.argmax(scores, axis=1)
            made = made.write(step, scores)
        return made.stack()

    def loss(self, prompt: tf.Tensor) -> tf.Tensor:
        scores = self(prompt)
        return tf.reduce_mean(tf.reduce_logsumexp(scores, axis=2) - tf.reduce_max(scores, axis=2))


def attended(query: tf.Tensor, keys: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    looks = tf.linalg.matvec(keys, query) / query.shape[1] ** 0.5
    return tf.linalg.matvec(values, tf.nn.softmax(looks), transpose_a=True)
