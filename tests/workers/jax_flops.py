"""Operations of JAX programs, counted in a process of their own: `python -m tests.workers.jax_flops`.

Prints one JSON object: the count of each program by its name, and XLA's for the convolutions. A process that has
imported JAX may not fork, as other tests do.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from workers.models.code.jax_flops import count_flops, count_pairs

LEFT, RIGHT, SQUARE = jnp.ones((3, 4)), jnp.ones((4, 5)), jnp.ones((4, 4))
IMAGE, KERNEL = jnp.ones((2, 3, 8, 8)), jnp.ones((4, 3, 3, 3))
PAIRS = (
    ((6, 3, 8), (1, (0, 0), 1, 1)),
    ((8, 3, 8), (1, (1, 1), 1, 1)),
    ((4, 3, 8), (2, (0, 1), 1, 1)),
    ((4, 3, 8), (1, (0, 0), 1, 2)),
    ((3, 1, 2), (1, (0, 0), 2, 1)),
)


def multiply_twice(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.tanh(left) @ right + jnp.sin(jnp.tanh(left) @ right)


def multiply_for_nothing(left: jax.Array, right: jax.Array) -> jax.Array:
    _unused = (left @ right).sum()
    return left @ (2 * right)


def spread(image: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(image, kernel, (1, 1), [(0, 0), (0, 0)], lhs_dilation=(2, 2))


PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[jax.Array, ...]]] = {
    "product": (lambda a, b: a @ b, (LEFT, RIGHT)),
    "the same twice": (multiply_twice, (LEFT, RIGHT)),
    "one for nothing": (multiply_for_nothing, (LEFT, RIGHT)),
    "jitted": (jax.jit(multiply_twice), (LEFT, RIGHT)),
    "two": (lambda a, b: a @ b + (2 * a) @ b, (LEFT, RIGHT)),
    "three": (lambda a, b: a @ b + (a + 1) @ b - (a + 2) @ b, (LEFT, RIGHT)),
    "loop": (lambda w: lax.scan(lambda h, _: (h @ w, None), w, None, 7)[0], (SQUARE,)),
    "branch": (lambda w: lax.cond(w[0, 0] > 0, lambda x: x @ x @ x, lambda x: x @ x, w), (SQUARE,)),
    "spread": (spread, (IMAGE, KERNEL)),
}


def count(program: Callable[..., Any], *inputs: jax.Array) -> int:
    return count_flops(jax.make_jaxpr(program)(*inputs).jaxpr)


def analyse(program: Callable[..., Any], *inputs: jax.Array) -> float:
    """Return the operations of the program that XLA would run, by its own analysis."""
    return float(jax.jit(program).lower(*inputs).compile().cost_analysis()["flops"])


def compare_convolutions() -> Iterator[tuple[str, list[float]]]:
    """Yield the counts of convolutions and of their gradients, ours and XLA's."""
    for padding in ("VALID", "SAME"):
        for strides in ((1, 1), (2, 2)):

            def convolve(
                image: jax.Array, kernel: jax.Array, strides: tuple[int, int] = strides, padding: str = padding
            ) -> jax.Array:
                return lax.conv_general_dilated(image, kernel, strides, padding)

            def differentiate(
                image: jax.Array, kernel: jax.Array, convolve: Callable[..., jax.Array] = convolve
            ) -> jax.Array:
                return jax.grad(lambda it: convolve(image, it).sum())(kernel)

            for name, program in (("forward", convolve), ("gradient", differentiate)):
                counts = [count(program, IMAGE, KERNEL), analyse(program, IMAGE, KERNEL)]
                yield f"{name} {padding} {strides[0]}", counts


def main() -> None:
    """Print all counts."""
    counts = {name: count(program, *inputs) for name, (program, inputs) in PROGRAMS.items()}
    pairs = [count_pairs(*sizes, stride, padding, between, apart) for sizes, (stride, padding, between, apart) in PAIRS]
    print(json.dumps({"counts": counts, "pairs": pairs, "convolutions": dict(compare_convolutions())}))


if __name__ == "__main__":
    main()
