"""TensorFlow 1's mode in TensorFlow 2: a graph that is built whole, then run by a session, many times.

A session takes and returns host arrays: its interface offers nothing else. Every timed call therefore includes a copy
in and a copy out, which are part of this mode.
"""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from schemas.job import TRAINING_TASKS, Cell
from workers.arrays import Array, cast_floating, widen_values
from workers.errors import Unsupported
from workers.frameworks import NO_GRADIENT, check_output_types, tensorflow_saved
from workers.frameworks import tensorflow as tensorflow2
from workers.frameworks.tensorflow_training import TensorFlowTrainer
from workers.interfaces import HasAllVariables, HasTrainingLoss, Prepared, Shape, Step, Writer
from workers.outputs import flatten_outputs
from workers.precision import check_precision

v1 = tf.compat.v1


class Framework(tensorflow2.Framework):
    """TensorFlow on the CPU, run by a session."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self._graph = tf.Graph()

    def convert_values(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(cast_floating(value, self._dtype.as_numpy_dtype) for value in values)

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        with self._graph.as_default():
            return super().build(implementation, weights)

    def require_loading(self) -> None:
        """Refuse a model that was made without its weights: the variables of a graph have no values to assign to."""
        raise Unsupported("a session cannot load weights into a model: let Model accept (parameters, weights)")

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return Prepared("trace", lambda: self._build_step(model, example, shapes))

    def _build_step(self, model: Any, example: Sequence[Any], shapes: Sequence[Shape]) -> Step:
        """Build the graph of the task with a session on it, close the graph, and return the step."""
        built = self._open_session(model, example, shapes)
        # A graph that grew from call to call would slow each of them.
        self._graph.finalize()
        run = built.session.make_callable(built.fetches, feed_list=built.feeds)
        if self._cell.task not in TRAINING_TASKS:
            return run
        self.trainer = SessionTrainer(built.session, built.begin, self._states, self._moments)
        # After the loss, a session returns None for the group of updates.
        return lambda *inputs: run(*inputs)[:1]

    def _open_session(self, model: Any, example: Sequence[Any], shapes: Sequence[Shape]) -> "SessionGraph":
        traced = self._trace_eagerly(model, example, shapes) if isinstance(model, HasAllVariables) else None
        with self._graph.as_default():
            feeds = [v1.placeholder(value.dtype, shape) for value, shape in zip(example, shapes, strict=True)]
            fetches = self._import_fetches(traced, feeds) if traced else self._build_fetches(model, feeds)
            session = v1.Session(graph=self._graph, config=self._make_session_config())
            begin = v1.global_variables_initializer()
            session.run(begin)
        return SessionGraph(session, feeds, fetches, begin)

    def saving(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Writer]:
        def trace_graph() -> Writer:
            built = self._open_session(model, example, shapes)
            return partial(tensorflow_saved.write_graph, built.session, built.feeds, built.fetches)

        return Prepared("trace", trace_graph)

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return Prepared("load", lambda: tensorflow_saved.read_graph(path, self._make_session_config()))

    def _build_fetches(self, model: Any, feeds: Sequence[Any]) -> list[Any]:
        """Build what each call fetches. In training, the updates are fetched for their effect alone."""
        if self._cell.task == "forward":
            return build_forward(model, feeds)
        if self._cell.task == "backward":
            return build_backward(model, feeds)
        trainer = self._make_trainer(model)
        method = "training_loss" if isinstance(model, HasTrainingLoss) else "loss"
        loss = convert_method(model, method)(model, *feeds)
        updates = trainer.apply_gradients(build_gradients(loss, model))
        self._states, self._moments = trainer.state(), trainer.read_moments()
        return [loss, tf.group(*updates, *v1.get_collection(v1.GraphKeys.UPDATE_OPS))]

    def _trace_eagerly(self, model: Any, example: Sequence[Any], shapes: Sequence[Shape]) -> "TracedStep":
        """Trace the step of a user's model, whose variables were made before there was a graph for them."""
        signature = [tf.TensorSpec(shape, value.dtype) for value, shape in zip(example, shapes, strict=True)]
        graph = tf.function(self._make_step(model)).get_concrete_function(*signature).graph
        trainer = self.trainer if self._cell.task in TRAINING_TASKS else None
        moments = trainer.variables if isinstance(trainer, TensorFlowTrainer) else ()
        returned = trainer.returned if isinstance(trainer, TensorFlowTrainer) else ()
        kept = trainer.moments if isinstance(trainer, TensorFlowTrainer) else ()
        values = {id(each.handle): each.numpy() for each in (*graph.variables, *model.all_variables, *moments)}
        constants = {inner.name: outer.numpy() for outer, inner in graph.captures if id(outer) not in values}
        places = ([id(each.handle) for each in variables] for variables in (returned, kept))
        return TracedStep(graph, values, constants, *places)

    def _import_fetches(self, traced: "TracedStep", feeds: Sequence[Any]) -> list[Any]:
        """Import a traced step into the session's graph, with variables of this graph in place of the eager ones."""
        graph = traced.graph
        own = {place: tf.Variable(value) for place, value in traced.values.items()}
        given = {place.name: feed for place, feed in zip(graph.inputs, feeds, strict=False)}
        given |= {inner.name: own[id(outer)].handle for outer, inner in graph.captures if id(outer) in own}
        given |= {name: tf.constant(value) for name, value in traced.constants.items()}
        names = [each.name for each in (*graph.outputs, *graph.control_outputs)]
        made = tf.import_graph_def(graph.as_graph_def(), given, names, name="")
        if self._cell.task not in TRAINING_TASKS:
            return list(made[: len(graph.outputs)])
        self._states = tuple(own[place] for place in traced.returned)
        self._moments = tuple(own[place] for place in traced.moments)
        return [made[0], tf.group(*made[len(graph.outputs) :])]

    def _make_session_config(self) -> Any:
        """Return the settings of a session, which ignores those of eager mode."""
        # Nothing may be set on this track: it measures the framework as shipped.
        if self._cell.track != "parity":
            return v1.ConfigProto()
        return v1.ConfigProto(intra_op_parallelism_threads=self._cell.threads, inter_op_parallelism_threads=1)

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: a session returns when the results are on the host."""

    def compilations(self) -> int | None:
        """Return 1: the graph is closed, and a session would raise rather than build another."""
        return 1

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, np.ndarray, np.generic)
        check_precision([output.dtype for output in outputs], self._cell)
        return self.convert_outputs([widen_values(output) for output in outputs])


@dataclass(frozen=True, slots=True)
class SessionGraph:
    """A session on a graph that is still open, with its inputs and outputs, and the operation that initialises it."""

    session: Any
    feeds: Sequence[Any]
    fetches: Sequence[Any]
    begin: Any


@dataclass(frozen=True, slots=True)
class TracedStep:
    """A step as a graph, and the values that it captured: of variables, by their handles, and of constants, by name.

    `returned` are the variables that a trainer returns as its state, and `moments` those of its update.
    """

    graph: Any
    values: dict[int, Array]
    constants: dict[str, Array]
    returned: Sequence[int]
    moments: Sequence[int]


class SessionTrainer:
    """The variables of a graph, whose values its session holds."""

    def __init__(self, session: Any, begin: Any, states: Sequence[Any], moments: Sequence[Any]) -> None:
        self._session, self._begin, self._states, self._moments = session, begin, list(states), list(moments)

    def restart(self) -> None:
        """Initialise all variables again."""
        self._session.run(self._begin)

    def state(self) -> tuple[Any, ...]:
        """Return the weights, then the statistics."""
        return tuple(self._session.run(self._states))

    def read_moments(self) -> tuple[Any, ...]:
        """Return the moments, and the number of steps, where the update counts them."""
        return tuple(self._session.run(self._moments))


def build_forward(model: Any, feeds: Sequence[Any]) -> list[Any]:
    return list(flatten_outputs(convert_method(model, "__call__")(model, *feeds), tf.nest.flatten))


def build_backward(model: Any, feeds: Sequence[Any]) -> list[Any]:
    loss = convert_method(model, "loss")(model, *feeds)
    return [loss, *build_gradients(loss, model)]


def build_gradients(loss: Any, model: Any) -> list[Any]:
    """Build the gradient of each weight. A session would not say which weight has none."""
    made = tf.gradients(loss, model.weights)
    for number, gradient in enumerate(made, 1):
        if gradient is None:
            raise TypeError(f"tensor {number} of the step is None; {NO_GRADIENT}")
    return tensorflow2.to_dense_tensors(made)


def convert_method(model: Any, method: str) -> Any:
    """Convert a method, so that its Python loops over tensors become loops of the graph, as by tf.function.

    Errors come from generated code. A note on each names the original line, as an error of a tf.function does.
    """
    graph = tf.autograph.to_graph(getattr(type(model), method))

    def call_converted(*inputs: Any) -> Any:
        try:
            return graph(*inputs)
        except Exception as error:
            for frame in traceback.extract_tb(error.__traceback__):
                for generated, origin in graph.ag_source_map.items():
                    if (generated.filename, generated.lineno) == (frame.filename, frame.lineno):
                        error.add_note(f'File "{origin.loc.filename}", line {origin.loc.lineno}')
            raise

    return call_converted
