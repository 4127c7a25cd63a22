"""A residual network in Keras, as a functional model.

With a stride, a layer of zeros precedes the convolution: `same` would have one zero less on the first side. The own
epsilon and momentum of a normalisation would be 1e-3 and 0.99. Its running variance is biased: it takes in the batch's
variance over n, and that of the reference the one over n - 1. A step of training adds the difference.
"""

from itertools import product

import keras
from keras import layers, losses, ops

from workers.arrays import Array
from workers.interfaces import Parameters

MOMENTUM = 0.9


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, keras.KerasTensor]) -> None:
        self.given, self.weights, self.running = weights, list[keras.Variable](), list[keras.Variable]()
        self.variances = list[tuple[keras.Variable, int]]()  # each with the pixels of an image behind it
        large_stem, blocks = parameters["large_stem"], parameters["blocks"]
        images = keras.Input((parameters["size"], parameters["size"], 3))
        x = layers.ReLU()(self.unit(images, "stem", 2 if large_stem else 1))
        if large_stem:
            x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))  # no pixel is negative
        for stage, block in product(range(4), range(blocks)):
            x = self.block(x, f"{stage}_{block}", 2 if stage and not block else 1)
        classifier = layers.Dense(parameters["classes"])
        self.network = keras.Model(images, classifier(layers.GlobalAveragePooling2D()(x)))
        classifier.set_weights([ops.transpose(weights["W"]), weights["b"]])
        self.weights += classifier.trainable_variables

    def block(self, x: keras.KerasTensor, name: str, stride: int) -> keras.KerasTensor:
        inner = self.unit(layers.ReLU()(self.unit(x, f"{name}_1", stride)), f"{name}_2", 1)
        shortcut = self.unit(x, f"{name}_shortcut", stride) if f"K_{name}_shortcut" in self.given else x
        return layers.ReLU()(inner + shortcut)

    def unit(self, x: keras.KerasTensor, name: str, stride: int) -> keras.KerasTensor:
        """Return the maps of a convolution and a batch normalisation."""
        kernel = self.given[f"K_{name}"]
        size, _, _, after = kernel.shape
        if stride > 1 and size > 1:
            x = layers.ZeroPadding2D(size // 2)(x)
        padding = "same" if stride == 1 else "valid"
        convolution = layers.Conv2D(after, size, strides=stride, padding=padding, use_bias=False)
        norm = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5)
        made = norm(convolution(x))
        convolution.set_weights([kernel])
        norm.set_weights(
            [self.given[f"{part}_{name}"] for part in ("gain", "shift", "running_mean", "running_variance")]
        )
        self.weights += [*convolution.trainable_variables, *norm.trainable_variables]
        self.running += norm.non_trainable_variables
        self.variances.append((norm.moving_variance, made.shape[1] * made.shape[2]))
        return made

    def __call__(self, x: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
        return self.network(x, training=False)

    def loss(self, x: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
        logits = self.network(x, training=True)
        return ops.mean(losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))

    def training_loss(self, x: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
        kept = [MOMENTUM * variance for variance, _ in self.variances]
        loss = self.loss(x, labels)
        for (variance, pixels), part in zip(self.variances, kept, strict=True):
            # The rest of the new variance is the batch's, divided by n.
            variance.assign(variance + (variance - part) / (x.shape[0] * pixels - 1))
        return loss

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return [each.T if each.ndim == 2 else each for each in arrays]
