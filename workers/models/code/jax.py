"""JAX models as they are: functions with or without parameters, and modules of flax and equinox."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import partial_eval

from schemas.job import Cell
from workers.arrays import Array
from workers.contract import OR_CHOOSE_OPTIMIZER, find_place
from workers.errors import Malformed
from workers.frameworks import to_tuple
from workers.models.code.jax_flax import adapt_flax, is_pair
from workers.models.code.jax_flops import count_flops
from workers.models.code.jax_state import Bound, Form, is_inexact, name_path, split_leaves
from workers.models.code.nested import NestedAdapter, list_leaves, seed_python

COMPLEX_DTYPES = {"float64": "complex128", "float32": "complex64", "bfloat16": "complex64", "float16": "complex64"}

Tree = dict[str, Any]


@contextmanager
def prepare_code(_cell: Cell) -> Iterator[None]:
    """Draw numbers as in 32-bit mode whatever the cell computes in: the same key gives others in 64-bit mode."""
    with jax.enable_x64(False):
        yield


class AdaptedModel:
    """A user's model as `workers/frameworks/jax.py` takes one: functions of its arrays by name, and of inputs."""

    def __init__(self, adapter: "Adapter", loss_of: Callable[[Any], Any], weights: Tree, running: Tree) -> None:
        self.weights, self.running, self._adapter, self._loss_of = weights, running, adapter, loss_of
        # A program that never traces binds its arrays once.
        self._own = adapter.bind_state(weights | running)

    def _apply(self, weights: Tree, running: Tree, *inputs: Any) -> tuple[Any, Callable[[], list[Any]]]:
        is_own = weights is self.weights and running is self.running
        bound = self._own if is_own else self._adapter.bind_state(weights | running)
        return self._adapter.call_bound(bound, *inputs)

    def forward(self, weights: Tree, running: Tree, *inputs: Any) -> tuple[Any, ...]:
        """Return the results of a call."""
        return to_tuple(self._apply(weights, running, *inputs)[0])

    def loss(self, weights: Tree, running: Tree, *inputs: Any) -> Any:
        """Return the loss of the results."""
        return self._loss_of(self._apply(weights, running, *inputs)[0])

    def backward(self, weights: Tree, running: Tree, *inputs: Any) -> tuple[Any, ...]:
        """Return the loss, and the gradient of each weight."""
        loss, gradients = jax.value_and_grad(self.loss)(weights, running, *inputs)
        return (loss, *[gradients[name] for name in self.weights])

    def make_optimiser(self) -> Any:
        """Make the optimiser of the file."""
        return self._adapter.make_optimiser()

    def training_loss(self, weights: Tree, running: Tree, *inputs: Any) -> tuple[Any, Tree]:
        """Return the loss, and the statistics after it."""
        made, collect = self._apply(weights, running, *inputs)
        after = self._adapter.name_arrays(collect()) if running else {}
        return self._loss_of(made), {name: after[name] for name in running}


class Adapter(NestedAdapter):
    """A JAX model of a user."""

    kinds = (jax.Array, np.ndarray)

    def build(self) -> None:
        """Build the model with the weights that the seed gives."""
        with self.open_drawing(self._seed):
            made = self._code.build_model()
            example = [self.to_tensor(each) for each in self._example]
            self._form = self._adapt_model(made, example)
        self._state = {each.name: np.asarray(each.value) for each in self._form.held if not each.constant}

    def _adapt_model(self, made: Any, example: Sequence[Any]) -> Form:
        found = adapt_flax(made, lambda: self.arrange_inputs(example), training=self.is_training, seed=self._seed)
        if found is not None:
            return found
        function, tree = made if is_pair(made) else (call_module, made)
        if not callable(function) or not (is_pair(made) or callable(made)):
            raise Malformed(
                f"{self._code.source.title} gives a {type(made).__name__}, which is no model; return a function of the "
                "inputs, or a tuple of a function and its parameters",
                self._code.place,
            )
        return adapt_tree(function, tree, training=self.is_training)

    @contextmanager
    def open_drawing(self, seed: int) -> Iterator[None]:
        """Seed the generators of Python and NumPy, in 32-bit mode; JAX draws from keys alone."""
        seed_python(seed)
        with jax.enable_x64(False):
            yield

    def open_call(self) -> AbstractContextManager[Any]:
        """Return 32-bit mode."""
        return jax.enable_x64(False)

    def to_tensor(self, value: Any) -> Any:
        """Convert an array to one of JAX."""
        return jnp.asarray(value)

    def to_array(self, tensor: Any) -> Array:
        """Convert an array of JAX to one of NumPy."""
        narrow = tensor.dtype in (jnp.bfloat16, jnp.float16)
        return np.array(tensor.astype(np.float32) if narrow else tensor)

    def call_written(self, tensors: Sequence[Any]) -> Any:
        """Call the model as its author does."""
        arguments, named = self.arrange_inputs(tensors)
        return self.bind_state({name: jnp.asarray(value) for name, value in self._state.items()})(*arguments, **named)[
            0
        ]

    def bind_state(self, state: Tree) -> Bound:
        """Return a call with these arrays bound in, by name."""
        held = self._form.held
        return self._form.bind([each.value if each.constant else state[each.name] for each in held])

    def call_bound(self, bound: Bound, *tensors: Any) -> tuple[Any, Callable[[], list[Any]]]:
        """Call the model on arrays; return the arrays among its results, and what collects the state after it."""
        if self.plain:
            made, collect = bound(*tensors)
            return made, collect
        arguments, named = self.arrange_inputs(tensors)
        made, collect = bound(*arguments, **named)
        return tuple(list_leaves(made, self.kinds)), collect

    def name_arrays(self, arrays: Sequence[Any]) -> Tree:
        """Return all arrays of the model by name."""
        return {each.name: value for each, value in zip(self._form.held, arrays, strict=True)}

    def read_state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the parameters and the other arrays by name, in the model's order."""
        trained = {each.name for each in self._form.held if each.trained}
        parameters = {name: value for name, value in self._state.items() if name in trained}
        return parameters, {name: value for name, value in self._state.items() if name not in trained}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Give parameters and other arrays these values."""
        self._state = {name: np.asarray(state[name]).reshape(value.shape) for name, value in self._state.items()}

    def list_notes(self) -> list[str]:
        """Return what a reader of the results must know."""
        if not self._form.dropouts:
            return []
        return [f"dropout is off (layers: {self._form.dropouts}), so that results can be verified"]

    def name_random(self) -> str:
        """Return nothing: a function that draws random numbers has no layers to name."""
        return ""

    def find_trained(self, coefficients: Sequence[Array]) -> list[str]:
        """Return the names of the parameters that the loss depends on, in the model's order.

        Raises:
            Malformed: the loss is no number, or depends on no parameter.
        """
        with self.open_drawing(self._seed):
            loss, parameters = self._trace_loss(coefficients)
            value = jax.eval_shape(loss, parameters)
            if getattr(value, "shape", None) != () or not jnp.issubdtype(value.dtype, jnp.floating):
                raise self.refuse_loss()
            _, used = partial_eval.dce_jaxpr(jax.make_jaxpr(loss)(parameters).jaxpr, [True])
        # A tree is traced with its names sorted.
        depends = dict(zip(sorted(parameters), used, strict=True))
        found = [name for name in parameters if depends[name]]
        if not found:
            raise self.refuse_gradients()
        return found

    def count_flops(self, coefficients: Sequence[Array]) -> int:
        """Count the operations of the matrix products and convolutions of one call of the task."""
        with self.open_drawing(self._seed):
            if self.is_training:
                loss, parameters = self._trace_loss(coefficients)
                return count_flops(jax.make_jaxpr(jax.grad(loss))(parameters).jaxpr)
            example = [self.to_tensor(each) for each in self._example]
            call = lambda *tensors: list_leaves(self.call_written(tensors), self.kinds)  # noqa: E731
            return count_flops(jax.make_jaxpr(call)(*example).jaxpr)

    def _trace_loss(self, coefficients: Sequence[Array]) -> tuple[Callable[[Tree], Any], Tree]:
        """Return the loss on the first inputs as a function of the parameters, and these."""
        parameters, others = ({name: jnp.asarray(value) for name, value in each.items()} for each in self.read_state())
        example, loss_of = [self.to_tensor(each) for each in self._example], self._make_loss(coefficients)
        return lambda given: loss_of(self.call_bound(self.bind_state(given | others), *example)[0]), parameters

    def _make_loss(self, coefficients: Sequence[Array]) -> Callable[[Any], Any]:
        """Return the loss of a call's outputs: the file's, or one that compares them with fixed random arrays."""
        own, compares = self._code.loss, self.compares_outputs
        if own is not None:
            return own if self.plain else lambda tensors: own(self.rebuild_outputs(tensors))
        fixed = [jnp.asarray(each, self._cell.dtype) for each in coefficients]

        def weigh_outputs(outputs: Any) -> Any:
            differing = [jnp.real(each) for each in to_tuple(outputs) if is_inexact(each)]
            pairs = [(each, factor.astype(each.dtype)) for each, factor in zip(differing, fixed, strict=True)]
            if compares:
                return sum(jnp.mean(jnp.square(each - factor)) for each, factor in pairs)
            return sum(jnp.sum(each * factor) for each, factor in pairs)

        return weigh_outputs

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> AdaptedModel:
        """Return the model in the cell's dtype. Parameters that the loss ignores have no gradients."""
        if self._code.loss is not None and not plain and self.is_training:
            self.describe_outputs()  # loss(outputs) takes them as they come
        self._is_plain = plain
        parameters, others = ({name: self._cast(value) for name, value in each.items()} for each in self.read_state())
        # Training returns all parameters, in the order of their names here.
        weights = parameters if self.compares_outputs else {name: parameters[name] for name in trained}
        running = {name: value for name, value in (parameters | others).items() if name not in weights}
        return AdaptedModel(self, self._make_loss(coefficients), weights, running)

    def make_optimiser(self) -> Any:
        """Make the optimiser of the file, which has the functions of optax.

        Raises:
            Malformed: it has not.
        """
        made = self._code.find_optimizer()()
        if callable(getattr(made, "init", None)) and callable(getattr(made, "update", None)):
            return made
        raise Malformed(
            f"optimizer() must return an optimiser of optax, not a value of type {type(made).__name__}; return one, "
            f"{OR_CHOOSE_OPTIMIZER}",
            find_place(self._code.module, "optimizer"),
        )

    def _cast(self, value: Array) -> Any:
        if not is_inexact(value):
            return jnp.asarray(value)
        is_complex = np.issubdtype(value.dtype, np.complexfloating)
        return jnp.asarray(value, COMPLEX_DTYPES[self._cell.dtype] if is_complex else self._cell.dtype)


def call_module(module: Any, *arguments: Any, **named: Any) -> Any:
    """Call a module, or a function that has no parameters."""
    return module(*arguments, **named)


def adapt_tree(function: Callable[..., Any], tree: Any, *, training: bool) -> Form:
    """Return the form of a function whose first argument is a tree of arrays, such as a module of equinox."""
    leaves, form = jax.tree_util.tree_flatten_with_path(tree)
    # Layers of equinox that drop values have a switch.
    dropouts = [path for path, leaf in leaves if leaf is False and name_path(path[-1:]) == "inference"]
    held = split_leaves([(name_path(path), True, True if path in dropouts else leaf) for path, leaf in leaves])

    def bind(arrays: list[Any]) -> Bound:
        filled = jax.tree_util.tree_unflatten(form, arrays)
        return lambda *inputs, **named: (function(filled, *inputs, **named), lambda: arrays)

    return Form(held, bind, len(dropouts) if training else 0)
