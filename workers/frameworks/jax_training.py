"""Training in JAX: a step returns new weights and moments, and donates the old ones, whose memory is reused."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from schemas.job import OWN_TRAINING, Task
from workers.references.optimisers import ADAPTIVE_UPDATES, bias_corrections, sgd

Tree = dict[str, Any]
# Weights, statistics, and what the update keeps from step to step.
State = tuple[Tree, Tree, Any]


class Update(Protocol):
    """An update of weights, as functions of its state."""

    def make_state(self, weights: Tree) -> Any:
        """Return the state before the first step."""

    def update_weights(self, weights: Tree, gradients: Tree, state: Any) -> tuple[Tree, Any]:
        """Return the weights and the state after a step."""


@runtime_checkable
class ListsMoments(Protocol):
    """An update by a known formula."""

    def list_moments(self, state: Any, names: Sequence[str]) -> tuple[Any, ...]:
        """List the moments of these weights, and the number of steps, where it matters."""


def choose_update(model: Any, task: Task) -> Update:
    """Choose the update that a task asks for."""
    return OptimiserUpdate(model.make_optimiser()) if task == OWN_TRAINING else FormulaUpdate(task)


class FormulaUpdate:
    """One of the formulas. Its state is the first moments, the second moments, and the number of steps taken."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def make_state(self, weights: Tree) -> Any:
        """Return moments of zero."""
        means, squares = ({name: jnp.zeros_like(weight) for name, weight in weights.items()} for _ in range(2))
        return means, squares, jnp.zeros((), next(iter(weights.values())).dtype)

    def update_weights(self, weights: Tree, gradients: Tree, state: Any) -> tuple[Tree, Any]:
        """Return the weights and the moments after a step."""
        means, squares, steps = state
        steps = steps + 1
        corrected = bias_corrections(steps, jnp.expm1)
        for name, gradient in gradients.items():
            if self._task == "train-sgd":
                moved = (*sgd(weights[name], gradient, means[name]), squares[name])
            else:
                update = ADAPTIVE_UPDATES[self._task]
                moved = update(weights[name], gradient, means[name], squares[name], corrected, jnp.sqrt)
            weights, means, squares = (
                {**tree, name: new} for tree, new in zip((weights, means, squares), moved, strict=True)
            )
        return weights, (means, squares, steps)

    def list_moments(self, state: Any, names: Sequence[str]) -> tuple[Any, ...]:
        """List the moments of these weights, and the number of steps, where it matters."""
        means, squares, steps = state
        first = tuple(means[name] for name in names)
        return first if self._task == "train-sgd" else (*first, *(squares[name] for name in names), steps)


class OptimiserUpdate:
    """The update by an optimiser that a model's file makes: the functions `init` and `update` of optax."""

    def __init__(self, optimiser: Any) -> None:
        self._optimiser = optimiser

    def make_state(self, weights: Tree) -> Any:
        """Return the optimiser's first state."""
        return self._optimiser.init(weights)

    def update_weights(self, weights: Tree, gradients: Tree, state: Any) -> tuple[Tree, Any]:
        """Return the weights and the optimiser's state after a step."""
        updates, state = self._optimiser.update(gradients, state, weights)
        # As optax.apply_updates does it.
        return {name: (weight + updates[name]).astype(weight.dtype) for name, weight in weights.items()}, state


def make_initial_state(weights: Tree, running: Tree, update: Update) -> State:
    """Return the state before the first step, in new arrays: a step donates the arrays that it is called with."""
    copied, moved, state = jax.tree.map(jnp.array, (weights, running, update.make_state(weights)))
    return copied, moved, state


def make_training_step(loss: Callable[..., tuple[Any, Tree]], update: Update) -> Callable[..., tuple[Any, State]]:
    """Build one step of training with this loss, which also returns the updated statistics."""
    differentiated = jax.value_and_grad(loss, has_aux=True)

    def step(state: State, *inputs: Any) -> tuple[Any, State]:
        weights, running, kept = state
        (value, running), found = differentiated(weights, running, *inputs)
        # The conjugate of a complex gradient is the direction of ascent.
        gradients = {name: each.conj() if each.dtype.kind == "c" else each for name, each in found.items()}
        weights, kept = update.update_weights(weights, gradients, kept)
        return value, (weights, running, kept)

    return step


class JaxTrainer:
    """The state of training, and the step that updates it."""

    def __init__(self, step: Callable[..., tuple[Any, State]], weights: Tree, running: Tree, update: Update) -> None:
        self._step, self._weights, self._running, self._update = step, weights, running, update
        self._now = make_initial_state(weights, running, update)

    def take_step(self, *inputs: Any) -> tuple[Any, ...]:
        """Take one step and return its loss."""
        loss, self._now = self._step(self._now, *inputs)
        # The state stays here: its arrays are donated to the next step and unusable after it.
        return (loss,)

    def wait_for_state(self) -> None:
        """Wait until the state has been computed."""
        jax.block_until_ready(self._now)

    def state(self) -> tuple[Any, ...]:
        """Return the weights, then the statistics, in the order they were given: JAX sorts a tree by name."""
        weights, running, _ = self._now
        return (*(weights[name] for name in self._weights), *(running[name] for name in self._running))

    def read_moments(self) -> tuple[Any, ...]:
        """Return what a formula keeps of each weight, and the number of its steps, where it counts them."""
        assert isinstance(self._update, ListsMoments), "only formulas are known"
        return self._update.list_moments(self._now[2], list(self._weights))

    def restart(self) -> None:
        """Restore the initial state."""
        self._now = make_initial_state(self._weights, self._running, self._update)
