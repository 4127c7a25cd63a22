"""A bidirectional LSTM that tags the tokens of sequences of varying length, in TensorFlow.

The loop over the steps becomes a while loop of the graph. For the second direction, each sequence is reversed up to its
end, and its states are reversed back. States beyond the ends are set to zero.
"""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.hidden = parameters["hidden"]
        self.weights = [tf.Variable(weight) for weight in weights.values()]
        self.E, *rest, self.W_o, self.b_o = self.weights
        self.ahead, self.back = rest[:3], rest[3:]

    def __call__(self, tokens: tf.Tensor, lengths: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
        x = tf.gather(self.E, tokens)
        ahead = self.lstm(x, *self.ahead)
        back = turned(self.lstm(turned(x, lengths), *self.back), lengths)
        both = tf.where(real(tokens, lengths)[:, :, None], tf.concat([ahead, back], axis=2), 0)
        return tf.tensordot(both, self.W_o, [[2], [1]]) + self.b_o

    def lstm(self, x: tf.Tensor, W_x: tf.Variable, W_h: tf.Variable, b: tf.Variable) -> tf.Tensor:
        driven = tf.tensordot(x, W_x, [[2], [1]]) + b
        h = c = tf.zeros((x.shape[1], self.hidden), x.dtype)
        states = tf.TensorArray(x.dtype, size=tf.shape(x)[0], element_shape=h.shape)
        for step in tf.range(tf.shape(x)[0]):
            i, f, g, o = tf.split(driven[step] + tf.matmul(h, W_h, transpose_b=True), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            states = states.write(step, h)
        return states.stack()

    def loss(self, tokens: tf.Tensor, lengths: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
        scores = self(tokens, lengths, tags)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tags, logits=scores)
        return tf.reduce_sum(tf.where(real(tokens, lengths), each, 0)) / tf.cast(tf.reduce_sum(lengths), each.dtype)


def turned(values: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    return tf.reverse_sequence(values, lengths, seq_axis=0, batch_axis=1)


def real(tokens: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    return tf.transpose(tf.sequence_mask(lengths, tf.shape(tokens)[0]))
