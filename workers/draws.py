"""Sets of inputs, drawn until they will do: where inputs decide which way a computation goes, not any set does."""

from collections.abc import Callable, Hashable

from workers.arrays import Array

DRAWS = 1000
"""So often one set is drawn at most."""

Inputs = tuple[Array, ...]
Path = Callable[..., Hashable | None]


def drawn(draw: Callable[[], Inputs], number: int, path: Path | None) -> list[Inputs]:
    """So many sets of inputs: each on a clear path, and no two on the same, as far as there are so many paths.

    A mode that has baked the path of one set in is then wrong on every other.

    Raises:
        ValueError: no set that was drawn leads to a clear path.
    """
    if path is None:
        return [draw() for _ in range(number)]
    taken: dict[Hashable, Inputs] = {}
    sets: list[Inputs] = []
    for _ in range(number):
        way, inputs = clear(draw, path, taken)
        taken[way] = inputs
        sets.append(inputs)
    return sets


def clear(draw: Callable[[], Inputs], path: Path, taken: dict[Hashable, Inputs]) -> tuple[Hashable, Inputs]:
    """Draw until the path is clear and not taken; or if all that are found are taken, one of these."""
    found: list[tuple[Hashable, Inputs]] = []
    for _ in range(DRAWS):
        inputs = draw()
        way = path(*inputs)
        if way is not None:
            found.append((way, inputs))
            if way not in taken:
                break
    if not found:
        raise ValueError(f"none of {DRAWS} sets of inputs leads to decisions that no rounding turns: take other sizes")
    return found[-1]
