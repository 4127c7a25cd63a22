"""Callables of a user's test that return JAX's arrays: without inputs, and with data of their own."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax

from workers.arrays import Array
from workers.models.code import jax as jax_models
from workers.models.code.callable_adapter import CallableAdapter
from workers.models.code.callables import RUNNING
from workers.models.code.nested import list_leaves, seed_python

# The settings of a test that change what a callable computes.
SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision")


def prepare_test(seed: int) -> None:
    """Seed what a test draws from; JAX itself draws from keys."""
    seed_python(seed)


def keep_state() -> Callable[[], None]:
    """Return what restores the present settings, with which the test compares its callables."""
    kept = {name: getattr(jax.config, name) for name in SETTINGS}

    def restore() -> None:
        for name, value in kept.items():
            jax.config.update(name, value)

    return restore


class AdaptedCallable:
    """A callable as `workers/frameworks/jax.py` takes a model. What it has compiled itself runs as it is."""

    keeps_types = True

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self.weights: dict[str, Any] = {}
        self.running: dict[str, Any] = {}

    def forward(self, _weights: Any, _running: Any) -> tuple[Any, ...]:
        """Return the arrays among the results."""
        made = self._call()
        return (made,) if isinstance(made, jax.Array) else tuple(list_leaves(made, Adapter.kinds))


class Adapter(CallableAdapter, jax_models.Adapter):
    """A callable of a user's test. It runs with the settings with which the test compares it."""

    def build(self) -> None:
        """Take the callable."""
        self.require_eager()
        self.written = self.take_written()

    def open_call(self) -> AbstractContextManager[Any]:
        """Return a context that changes nothing."""
        return nullcontext()

    def call_written(self, tensors: Sequence[Any]) -> Any:  # noqa: ARG002 (there are none)
        """Call it as the test would."""
        RUNNING.restore()
        return self.written()

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> Any:  # noqa: ARG002
        """Return the callable as it is."""
        RUNNING.restore()
        return AdaptedCallable(self.written)
