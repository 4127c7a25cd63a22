"""A narrow network of inverted bottlenecks of keras.applications, for small images."""

import keras


def build() -> keras.Model:
    return keras.applications.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, weights=None, classes=10)


def inputs(batch: int = 4) -> keras.KerasTensor:
    return keras.random.uniform((batch, 64, 64, 3))
