"""A network of inverted bottlenecks with squeeze and excitation of keras.applications, for small images."""

import keras


def build() -> keras.Model:
    return keras.applications.MobileNetV3Small(input_shape=(64, 64, 3), minimalistic=False, weights=None, classes=10)


def inputs(batch: int = 4) -> keras.KerasTensor:
    return keras.random.uniform((batch, 64, 64, 3))
