"""A generative transformer in Keras, with its layer for attention and an embedding that also scores.

The layer has separate kernels for queries, keys and values, (width, heads, head_width), and every kernel is the
transpose of the reference's. The own epsilon of a normalisation would be 1e-3.
"""

from functools import partial

import keras
from keras import activations, layers, losses, ops

from workers.arrays import Array
from workers.interfaces import Parameters
from workers.workloads.transformer_encoder.keras import BLOCK_SIZE, join_projections, split_projections


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        heads, head_width, self.blocks = (parameters[name] for name in ("heads", "head_width", "layers"))
        self.length, self.width = parameters["length"], heads * head_width
        self.tokens = layers.ReversibleEmbedding(parameters["vocabulary"], self.width)
        self.positions = layers.Embedding(self.length, self.width)
        x = embedded = keras.Input((self.length, self.width))
        for _ in range(self.blocks):
            inner = layers.LayerNormalization(epsilon=1e-5)(x)
            x = x + layers.MultiHeadAttention(heads, head_width)(inner, inner, use_causal_mask=True)
            inner = layers.LayerNormalization(epsilon=1e-5)(x)
            inner = layers.Dense(4 * self.width, activation=partial(activations.gelu, approximate=True))(inner)
            x = x + layers.Dense(self.width)(inner)
        self.network = keras.Model(embedded, layers.LayerNormalization(epsilon=1e-5)(x))
        for table in (self.tokens, self.positions):
            table.build()
        parts = (self.tokens, self.positions, self.network)
        self.weights = [variable for part in parts for variable in part.trainable_variables]
        given = [weights["E"], weights["P"], *map(ops.transpose, split_projections(weights)[2:])]
        for variable, weight in zip(self.weights, given, strict=True):
            variable.assign(ops.reshape(weight, variable.shape))

    def __call__(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        x = self.tokens(tokens[:, :-1]) + self.positions(ops.arange(self.length))
        return self.tokens(self.network(x), reverse=True)

    def loss(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(losses.sparse_categorical_crossentropy(tokens[:, 1:], self(tokens), from_logits=True))

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        made, rest = arrays[:2], arrays[2:]
        for block in range(self.blocks):
            gain, shift, *own = rest[BLOCK_SIZE * block : BLOCK_SIZE * (block + 1)]
            made += [gain, shift, *join_projections(own[:6], self.width), own[6].reshape(self.width, self.width).T]
            made += [each.T for each in own[7:]]
        return made + rest[BLOCK_SIZE * self.blocks :]
