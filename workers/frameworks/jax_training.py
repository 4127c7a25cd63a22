"""Training in JAX: a step returns new weights and moments, and donates the old ones, whose memory is reused."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from schemas.job import Task
from workers.references.optimisers import adam, bias_corrections, sgd

Tree = dict[str, Any]
# Weights, statistics, first moments, second moments, and the number of steps taken.
State = tuple[Tree, Tree, Tree, Tree, Any]


def make_initial_state(weights: Tree, running: Tree) -> State:
    """Return the state before the first step, in new arrays: a step donates the arrays that it is called with."""
    copied, moved = jax.tree.map(jnp.array, (weights, running))
    means, squares = ({name: jnp.zeros_like(weight) for name, weight in weights.items()} for _ in range(2))
    return copied, moved, means, squares, jnp.zeros((), next(iter(weights.values())).dtype)


def make_training_step(loss: Callable[..., tuple[Any, Tree]], task: Task) -> Callable[..., tuple[Any, State]]:
    """Build one step of training with this loss, which also returns the updated statistics."""
    differentiated = jax.value_and_grad(loss, has_aux=True)

    def step(state: State, *inputs: Any) -> tuple[Any, State]:
        weights, running, means, squares, steps = state
        (value, running), gradients = differentiated(weights, running, *inputs)
        steps = steps + 1
        corrected = bias_corrections(steps, jnp.expm1)
        for name, found in gradients.items():
            # The conjugate of a complex gradient is the direction of ascent.
            gradient = found.conj() if found.dtype.kind == "c" else found
            if task == "train-sgd":
                moved = (*sgd(weights[name], gradient, means[name]), squares[name])
            else:
                moved = adam(weights[name], gradient, means[name], squares[name], corrected, jnp.sqrt)
            weights, means, squares = (
                {**tree, name: new} for tree, new in zip((weights, means, squares), moved, strict=True)
            )
        return value, (weights, running, means, squares, steps)

    return step


class JaxTrainer:
    """The state of training, and the step that updates it."""

    def __init__(self, step: Callable[..., tuple[Any, State]], weights: Tree, running: Tree) -> None:
        self._step, self._weights, self._running = step, weights, running
        self._now = make_initial_state(weights, running)

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
        weights, running, *_ = self._now
        return (*(weights[name] for name in self._weights), *(running[name] for name in self._running))

    def restart(self) -> None:
        """Restore the initial state."""
        self._now = make_initial_state(self._weights, self._running)
