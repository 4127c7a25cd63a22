"""TensorFlow's SavedModels: a signature of theirs, run as its graph is written."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf

from schemas.job import Cell, Dtype
from schemas.models import InputSignature, ModelSource
from workers.arrays import Array
from workers.errors import Unsupported
from workers.frameworks.tensorflow_saved import Signature, read_signature
from workers.interfaces import Step
from workers.models.files.adapter import FileAdapter
from workers.models.files.inputs import UNNAMED


class Adapter(FileAdapter):
    """A SavedModel whose results are those of its graph without the optimisations of TensorFlow."""

    @cached_property
    def _signature(self) -> Signature:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        return read_signature(self._source)

    def list_inputs(self) -> Sequence[InputSignature]:
        """Return the inputs of the signature, in the order of their names."""
        return [describe_spec(self._source, name, spec) for name, spec in self._signature.inputs.items()]

    def make_step(self, dtype: Dtype) -> Step:
        """Return a call of the signature."""
        if dtype == "float64":
            raise Unsupported("the graph of a SavedModel has the types that it was saved with")

        def step(*inputs: Array) -> tuple[Array, ...]:
            given = (tf.constant(value, kind) for value, kind in zip(inputs, self.dtypes, strict=True))
            return tuple(np.asarray(each) for each in self._signature(*given))

        return step


def describe_spec(source: ModelSource, name: str, spec: tf.TensorSpec) -> InputSignature:
    """Describe an input of a signature.

    Raises:
        Unsupported: it has a type that its cells cannot feed, or any number of axes.
    """
    if spec.shape.rank is None:
        raise Unsupported(f"the input {name} of {source.title} has any number of axes")
    if spec.dtype.is_floating and spec.dtype != tf.float32:
        raise Unsupported(f"the input {name} of {source.title} is {spec.dtype.name}; only float32 and integers are fed")
    sizes = tuple(UNNAMED if size is None else size for size in spec.shape)
    return InputSignature(name, spec.dtype.name, sizes, {}, None)


def make_adapter(source: ModelSource, cell: Cell, seed: int) -> Adapter:
    """Adapt a SavedModel."""
    return Adapter(source, cell, seed)
