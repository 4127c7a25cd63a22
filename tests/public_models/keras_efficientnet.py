"""A scaled network of inverted bottlenecks of keras.applications, for small images."""

import keras


def build() -> keras.Model:
    return keras.applications.EfficientNetB0(input_shape=(32, 32, 3), weights=None, classes=10)


def inputs(batch: int = 4) -> keras.KerasTensor:
    return 255 * keras.random.uniform((batch, 32, 32, 3))
