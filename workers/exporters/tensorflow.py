"""Export a TensorFlow model as a file of LiteRT with its weights, by TensorFlow's converter."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from workers.errors import Unsupported
from workers.frameworks.tensorflow import make_forward_step
from workers.interfaces import Shape

SUFFIX = ".tflite"
# The converter's message: a place, the mark, the reason, and advice for a runtime with TensorFlow's operations.
REASON = re.compile(r"error: (.+?)\.?(?: Please consider .*)?$", re.MULTILINE)


def export(model: Any, example: tuple[Any, ...], shapes: Sequence[Shape], path: Path) -> None:
    """Export a model with dynamic axes wherever a size in `shapes` is None.

    The file has one signature. Its inputs and outputs are named by their numbers, because the file orders them anew.

    Raises:
        Unsupported: the converter cannot translate this model to operations of LiteRT.
    """
    step = make_forward_step(model)
    specs = [
        tf.TensorSpec(shape, value.dtype, name=f"input_{place}")
        for place, (shape, value) in enumerate(zip(shapes, example, strict=True))
    ]
    graph = tf.function(lambda *inputs: {str(place): each for place, each in enumerate(step(*inputs))})
    # The model keeps the variables alive until they are constants of the graph.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function(*specs)], model)
    try:
        path.write_bytes(converter.convert())
    except ConverterError as error:
        found = REASON.search(str(error))
        reason = (found[1] if found else str(error))[:300]
        raise Unsupported(f"TensorFlow cannot convert it to operations of LiteRT: {reason}") from error
