"""TensorFlow 1's way in TensorFlow 2: a graph that is built whole, then run by a session, many times.

A session takes host arrays and returns host arrays: its interface has no other. So what is timed has a copy in and a
copy out in it, and that is part of this mode.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from workers.arrays import Array
from workers.frameworks import Prepared, Shape, Step, own
from workers.frameworks import tensorflow as tensorflow2

v1 = tf.compat.v1


class Framework(tensorflow2.Framework):
    """TensorFlow on the CPU, by a session."""

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(value.astype(self._dtype.as_numpy_dtype) for value in values)

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        self._graph = tf.Graph()
        with self._graph.as_default():
            return super().build(implementation, weights)

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared:
        return Prepared("trace", lambda: self._run(model, shapes))

    def _run(self, model: Any, shapes: Sequence[Shape]) -> Step:
        """Build the graph of the task, close it, and start a session on it."""
        build = forward if self._cell.task == "forward" else backward
        with self._graph.as_default():
            feeds = [v1.placeholder(self._dtype, shape) for shape in shapes]
            fetches = build(model, feeds)
            session = v1.Session(graph=self._graph, config=self._config())
            session.run(v1.global_variables_initializer())
        self._graph.finalize()
        return session.make_callable(fetches, feed_list=feeds)

    def _config(self) -> Any:
        """A session does not heed what is set for eager mode."""
        if self._cell.track != "parity":
            return v1.ConfigProto()
        return v1.ConfigProto(intra_op_parallelism_threads=self._cell.threads, inter_op_parallelism_threads=1)

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Nothing is left to wait for: a session returns when the results are on the host."""

    def compilations(self) -> int | None:
        """One: the graph is final, and a session would raise rather than build another."""
        return 1

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        own(outputs, np.ndarray, np.generic)
        return [np.asarray(output, np.float64) for output in outputs]


def forward(model: Any, feeds: Sequence[Any]) -> list[Any]:
    return [converted(model, "__call__")(model, *feeds)]


def backward(model: Any, feeds: Sequence[Any]) -> list[Any]:
    loss = converted(model, "loss")(model, *feeds)
    return [loss, *tf.gradients(loss, model.weights)]


def converted(model: Any, method: str) -> Any:
    """A method whose Python loops over tensors are loops of the graph, as tf.function makes them."""
    return tf.autograph.to_graph(getattr(type(model), method))
