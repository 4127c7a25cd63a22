"""A convolutional network with the layout of a transformer of keras.applications, for small images."""

import keras


def build() -> keras.Model:
    return keras.applications.ConvNeXtTiny(input_shape=(64, 64, 3), weights=None, include_top=False, pooling="avg")


def inputs(batch: int = 2) -> keras.KerasTensor:
    return keras.random.uniform((batch, 64, 64, 3))
