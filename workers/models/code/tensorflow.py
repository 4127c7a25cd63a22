"""TensorFlow models as they are: Keras models and layers, modules, and functions of tensors."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import tensorflow as tf

from schemas.job import TRAINING_TASKS, Cell
from workers.arrays import Array
from workers.contract import find_place
from workers.dropout import Dropout
from workers.errors import Malformed
from workers.models.code import keras_layers
from workers.models.code.nested import Kinds, NestedAdapter, list_leaves, name_apart, seed_python
from workers.models.code.tensorflow_flops import count_graph_flops
from workers.models.code.tensorflow_variables import Held, replace_variable, walk_objects

# Keyword arguments by which models ask whether they are in training, unless Keras hands it on.
TRAINING_NAMES = ("training", "is_training")

Tensors = Sequence[Any]

# AutoGraph converts the user's code, and need not convert this.
find_leaves = tf.autograph.experimental.do_not_convert(list_leaves)
arrange_inputs = tf.autograph.experimental.do_not_convert(NestedAdapter.arrange_inputs)
rebuild_outputs = tf.autograph.experimental.do_not_convert(NestedAdapter.rebuild_outputs)


def prepare_code(cell: Cell) -> AbstractContextManager[None]:
    """Set the precision of Keras before the user's code is loaded, as it may make a model at once."""
    keras_layers.set_precision(cell.dtype)
    return nullcontext()


class AdaptedModel(tf.Module):
    """A user's model as `workers/frameworks/tensorflow.py` takes one."""

    def __init__(
        self,
        call: Callable[..., Any],
        loss_of: Callable[[Any], Any],
        variables: Mapping[str, list[Any]],
        make_optimiser: Callable[[], Any],
        dropout: Dropout | None,
    ) -> None:
        super().__init__()
        # A SavedModel holds the variables alone: the model itself may have functions that cannot be saved.
        self._call, self._loss_of, self.make_optimiser = call, loss_of, make_optimiser
        self.dropout = dropout
        self.weights, self.running, self.all_variables = (variables[name] for name in ("weights", "running", "all"))

    def __call__(self, *inputs: Any) -> Any:
        """Return the tensors among the results."""
        return self._call(*inputs)

    def loss(self, *inputs: Any) -> Any:
        """Return the loss of the results. A call in training also updates the statistics."""
        return self._loss_of(self._call(*inputs))


class Adapter(NestedAdapter):
    """A TensorFlow model of a user."""

    kinds: Kinds = (tf.Tensor, tf.Variable, np.ndarray)

    def build(self) -> None:
        """Build the model with the weights that the seed gives; variables that a call makes are made by one call."""
        self._dtype = tf.float32
        with self.open_drawing(self._seed):
            made = self._code.build_model()
        if not callable(made):
            raise Malformed(
                f"{self._code.source.title} gives a {type(made).__name__}, which is no model", self._code.place
            )
        self.model = made
        if keras_layers.is_layer(made):
            self.model = keras_layers.convert_model(made, self._cell.dtype)
            self._dtype = tf.dtypes.as_dtype(self._cell.dtype)
        self._flags: dict[str, bool] = self._choose_flags(training=False)
        self._call_on_example()
        self._held = self._list_held()
        self._dropout = keras_layers.find_dropout(filter(keras_layers.is_layer, self._list_parts()))
        self._dropout.switch_rates(on=False)
        self._flags = self._choose_flags(training=self.is_training)

    def _choose_flags(self, *, training: bool) -> dict[str, bool]:
        if keras_layers.is_layer(self.model):
            return {"training": training}
        call = self.model if inspect.isroutine(self.model) else type(self.model).__call__
        try:
            accepted = inspect.signature(call).parameters
        except (TypeError, ValueError):
            return {}
        return {name: training for name in TRAINING_NAMES if name in accepted}

    def _list_parts(self) -> list[Any]:
        return [each for _, each, _ in walk_objects(self.model, self._code.module.__name__)]

    def _list_held(self) -> list[Held]:
        found = list[Held]()
        for path, value, replace in walk_objects(self.model, self._code.module.__name__):
            if keras_layers.is_layer(value):
                prefix = f"{path}/" if path else ""
                kept = keras_layers.list_variables(value)
                found += [Held(prefix + name, variable, trained, None) for name, variable, trained in kept]
            elif isinstance(value, tf.Variable):
                found.append(Held(path, value, value.trainable and value.dtype.is_floating, replace))
        names = name_apart([each.name for each in found])
        return [Held(name, each.variable, each.trained, each.replace) for name, each in zip(names, found, strict=True)]

    def open_drawing(self, seed: int) -> AbstractContextManager[None]:
        """Seed the generators that models and inputs draw from."""
        tf.random.set_seed(seed)
        seed_python(seed)
        return nullcontext()

    def to_tensor(self, value: Any) -> Any:
        """Convert an array to a tensor, floating-point numbers to the precision of the model."""
        tensor = tf.convert_to_tensor(value)
        if tensor.dtype.is_complex:
            return tf.cast(tensor, tf.complex128 if self._dtype == tf.float64 else tf.complex64)
        return tf.cast(tensor, self._dtype) if tensor.dtype.is_floating else tensor

    def to_array(self, tensor: Any) -> Array:
        """Convert a tensor to an array."""
        value = tf.convert_to_tensor(tensor)
        narrow = value.dtype in (tf.bfloat16, tf.float16)
        return np.array(tf.cast(value, tf.float32) if narrow else value)

    def call_written(self, tensors: Tensors) -> Any:
        """Call the model as its author does."""
        arguments, named = arrange_inputs(self, tensors)
        if keras_layers.is_layer(self.model) and not arguments and keras_layers.takes_as_one(self.model, named):
            arguments, named = (named,), {}
        return self.model(*arguments, **{**self._flags, **named})

    def read_state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the trained variables and the others by name, in the model's order."""
        parameters, others = (
            {each.name: self.to_array(each.variable) for each in self._held if each.trained is trained}
            for trained in (True, False)
        )
        return parameters, others

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Give the variables these values."""
        for each in self._held:
            each.variable.assign(tf.cast(state[each.name], each.variable.dtype))

    def list_notes(self) -> list[str]:
        """Return what a reader of the results must know."""
        if not (self.is_training and self._dropout.layers):
            return []
        timed = self._cell.task in TRAINING_TASKS
        return [self._dropout.describe_use(timed=timed) + ("; a session leaves it off" if timed else "")]

    def name_random(self) -> str:
        """Return the layers that probably draw the random numbers, in parentheses; empty: none is known to."""
        layers = (
            part
            for each in self._list_parts()
            if keras_layers.is_layer(each)
            for part in keras_layers.list_layers(each)
        )
        kinds = {type(each).__name__ for each in layers if "Random" in type(each).__name__}
        return f" ({', '.join(sorted(kinds))})" if kinds else ""

    def find_trained(self, coefficients: Sequence[Array]) -> list[str]:
        """Return the names of the variables that the loss depends on, in the model's order.

        Raises:
            Malformed: the loss is no number, or depends on no variable.
        """
        loss, held = self._make_loss(coefficients), [each for each in self._held if each.trained]
        with tf.GradientTape() as tape:
            value = loss(self._flatten(self._call_on_example()))
        if not isinstance(value, tf.Tensor) or not value.dtype.is_floating or tf.size(value) != 1:
            raise self.refuse_loss()
        gradients = tape.gradient(value, [each.variable for each in held])
        found = [each.name for each, gradient in zip(held, gradients, strict=True) if gradient is not None]
        if not found:
            raise self.refuse_gradients()
        return found

    def count_flops(self, coefficients: Sequence[Array]) -> int:
        """Count the operations of the matrix products and convolutions of one call of the task."""
        loss, variables = self._make_loss(coefficients), [each.variable for each in self._held if each.trained]

        def compute(*tensors: Any) -> Any:
            if not self.is_training:
                return list_leaves(self.call_written(tensors), self.kinds)
            with tf.GradientTape() as tape:
                value = loss(self._flatten(self.call_written(tensors)))
            return [value, *(each for each in tape.gradient(value, variables) if each is not None)]

        example = [self.to_tensor(each) for each in self._example]
        return count_graph_flops(tf.function(compute).get_concrete_function(*example).graph)

    def _flatten(self, made: Any) -> Any:
        return made if self.plain else tuple(list_leaves(made, self.kinds))

    def _make_loss(self, coefficients: Sequence[Array]) -> Callable[[Any], Any]:
        """Return the loss of a call's outputs: the file's, or one that compares them with fixed random tensors."""
        own, compares = self._code.loss, self.compares_outputs
        if own is not None:
            return own if self.plain else lambda tensors: own(rebuild_outputs(self, tensors))
        fixed = [tf.cast(each, self._dtype) for each in coefficients]

        def weigh_outputs(outputs: Any) -> Any:
            made = outputs if isinstance(outputs, tuple) else (outputs,)
            differing = [tf.math.real(each) for each in made if each.dtype.is_floating or each.dtype.is_complex]
            pairs = [(tf.cast(each, factor.dtype), factor) for each, factor in zip(differing, fixed, strict=True)]
            if compares:
                return tf.add_n([tf.reduce_mean(tf.square(each - factor)) for each, factor in pairs])
            return tf.add_n([tf.reduce_sum(each * factor) for each, factor in pairs])

        return weigh_outputs

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> AdaptedModel:
        """Return the model in the cell's dtype. Variables that the loss ignores are not differentiated."""
        self._dtype = tf.dtypes.as_dtype(self._cell.dtype)
        self._held = [replace_variable(each, self._dtype) for each in self._held]
        if self._code.loss is not None and not plain and self.is_training:
            self.describe_outputs()  # loss(outputs) takes them as they come
        self._is_plain = plain
        model, flags, kinds = self.model, self._flags, self.kinds

        def call_plain(*tensors: Any) -> Any:
            return model(*tensors, **flags)

        def call_nested(*tensors: Any) -> Any:
            return tuple(find_leaves(self.call_written(tensors), kinds))

        call = call_plain if plain else call_nested
        variables = self._sort_variables(trained)
        dropout = self._dropout if self._cell.task in TRAINING_TASKS and self._dropout.layers else None
        return AdaptedModel(call, self._make_loss(coefficients), variables, self._make_optimiser, dropout)

    def _make_optimiser(self) -> Any:
        """Make the optimiser of the file."""
        return keras_layers.check_optimiser(self._code.find_optimizer()(), find_place(self._code.module, "optimizer"))

    def _sort_variables(self, trained: Sequence[str]) -> dict[str, list[Any]]:
        """Return the variables that have gradients, the statistics, and all, in the order of the reference."""
        parameters, others = ([each for each in self._held if each.trained is kind] for kind in (True, False))
        return {
            "weights": [each.variable for each in parameters if each.name in trained],
            "running": [each.variable for each in others],
            "all": [each.variable for each in (*parameters, *others)],
        }
