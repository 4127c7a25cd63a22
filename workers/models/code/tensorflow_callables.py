"""Callables of a user's test that return TensorFlow's tensors: without inputs, and with data of their own."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from workers.arrays import Array
from workers.models.code import tensorflow as tensorflow_models
from workers.models.code.callable_adapter import CallableAdapter
from workers.models.code.nested import list_leaves, seed_python


def prepare_test(seed: int) -> None:
    """Seed what a test draws from."""
    tf.random.set_seed(seed)
    seed_python(seed)


def keep_state() -> Callable[[], None]:
    """Return what does nothing: a job changes no state of TensorFlow after the test has begun."""
    return lambda: None


class AdaptedCallable:
    """A callable as `workers/frameworks/tensorflow.py` takes a model. What it has traced itself runs as it is."""

    keeps_types = True

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __call__(self) -> Any:
        """Return the tensors among the results."""
        made = self._call()
        return (
            made if isinstance(made, tf.Tensor) else tuple(map(tf.convert_to_tensor, list_leaves(made, Adapter.kinds)))
        )


class Adapter(CallableAdapter, tensorflow_models.Adapter):
    """A callable of a user's test."""

    # The gradient of a table is rows and their indices.
    kinds = (*tensorflow_models.Adapter.kinds, tf.IndexedSlices)

    def build(self) -> None:
        """Take the callable."""
        self.require_eager()
        self.written = self.take_written()

    def call_written(self, tensors: Sequence[Any]) -> Any:  # noqa: ARG002 (there are none)
        """Call it as the test would."""
        return self.written()

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> Any:  # noqa: ARG002
        """Return the callable as it is."""
        return AdaptedCallable(self.written)
