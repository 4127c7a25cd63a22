"""Rejection sampling of inputs whose control flow is unambiguous, for workloads that branch on their inputs."""

from collections.abc import Callable, Hashable

from workers.arrays import Array

# The attempts at one set of inputs before its sizes are refused.
MAX_DRAWS = 1000

Inputs = tuple[Array, ...]
PathFunction = Callable[..., Hashable | None]


def draw_sets(draw: Callable[[], Inputs], number: int, path: PathFunction | None) -> list[Inputs]:
    """Draw sets of inputs: each on an unambiguous path, and no two on the same one if there are enough paths.

    A mode that has baked in the path of one set is then wrong on every other.

    Raises:
        ValueError: no drawn set leads to an unambiguous path.
    """
    if path is None:
        return [draw() for _ in range(number)]
    taken: dict[Hashable, Inputs] = {}
    sets: list[Inputs] = []
    for _ in range(number):
        way, inputs = draw_unambiguous(draw, path, taken)
        taken[way] = inputs
        sets.append(inputs)
    return sets


def draw_unambiguous(
    draw: Callable[[], Inputs], path: PathFunction, taken: dict[Hashable, Inputs]
) -> tuple[Hashable, Inputs]:
    """Draw until the path is unambiguous and new; if every path found is taken, return one of these."""
    found: list[tuple[Hashable, Inputs]] = []
    for _ in range(MAX_DRAWS):
        inputs = draw()
        way = path(*inputs)
        if way is not None:
            found.append((way, inputs))
            if way not in taken:
                break
    if not found:
        raise ValueError(f"rounding could change the control flow of all {MAX_DRAWS} drawn inputs; choose other sizes")
    return found[-1]
