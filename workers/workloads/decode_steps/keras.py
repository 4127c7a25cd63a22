"""One step of a decoder in Keras: its cache grows by concatenation.

Every kernel is the transpose of the reference's.
"""

import keras
from keras import ops

from workers.workloads.decode.keras import Decoder


class Model(Decoder):
    def __call__(
        self, tokens: keras.KerasTensor, keys: keras.KerasTensor, values: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, ...]:
        x = self.table(tokens)
        keys = ops.concatenate([keys, self.key(x)], axis=1)
        values = ops.concatenate([values, self.value(x)], axis=1)
        last = x[:, -1]
        looks = ops.einsum("bkw,bw->bk", keys, self.query(last)) / self.root
        seen = ops.einsum("bk,bkw->bw", ops.softmax(looks), values)
        scores = self.scores(last + self.out(seen))
        return scores, ops.cast(ops.argmax(scores, axis=1, keepdims=True), tokens.dtype), keys, values
