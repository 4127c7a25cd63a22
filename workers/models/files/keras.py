"""Keras models in files, as `model.save` writes them."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

# Keras reads its backend when it is imported. A user's setting of another one would not fit TensorFlow's modes.
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras

from schemas.job import Cell
from schemas.models import InputSignature, ModelSource
from workers.errors import Malformed, summarise_error
from workers.models.code import tensorflow
from workers.models.code.source import Call
from workers.models.files.file_code import FileCode
from workers.models.files.inputs import UNNAMED, describe_unknown


class KerasCode(FileCode):
    """A `.keras` file, which holds the configuration of a model and its weights."""

    def build_model(self) -> Any:
        """Load the model anew: the adapter changes its weights."""
        return load_file(self.source)

    @cached_property
    def _first(self) -> Any:
        return load_file(self.source)

    def list_inputs(self) -> Sequence[InputSignature]:
        """Return the inputs of a model that knows them, or those that the user describes."""
        known = getattr(self._first, "inputs", None)
        if not known:
            return describe_unknown(self.source, ["inputs"])
        return [describe_tensor(each) for each in known]

    def arrange(self, arrays: tuple[Any, ...]) -> Call:
        """Return the arguments of a call: one array, or the list of several."""
        return (arrays[0] if len(arrays) == 1 else list(arrays),), {}


def load_file(source: ModelSource) -> Any:
    """Load a model without running code that the file may hold.

    Raises:
        Malformed: it holds code, needs classes that are not in Keras, or is damaged.
    """
    try:
        return keras.saving.load_model(source.file, compile=False, safe_mode=True)
    except Exception as error:  # configurations of custom layers raise errors of any kind
        raise Malformed(
            f"{source.title} cannot be loaded: {summarise_error(error)}; a model with classes or functions of its own "
            "is measured as code, by the Python file that builds it"
        ) from error


def describe_tensor(tensor: Any) -> InputSignature:
    """Describe an input of a model."""
    sizes = tuple(UNNAMED if size is None else size for size in tensor.shape)
    return InputSignature(tensor.name, keras.backend.standardize_dtype(tensor.dtype), sizes, {}, None)


def make_adapter(source: ModelSource, cell: Cell, seed: int) -> tensorflow.Adapter:
    """Adapt a file to TensorFlow's modes."""
    with tensorflow.prepare_code(cell):
        code: Any = KerasCode(source, cell, seed)
        return tensorflow.Adapter(code, cell, seed)
