"""The consequences of a run's seed: the order of each block, and the seed of weights and inputs. Pure."""

import random
from collections.abc import Sequence

from schemas.job import Cell


def derive_data_seed(seed: int) -> int:
    """Return the seed of weights and inputs: another one in each run, so that no code can know them beforehand."""
    return random.Random(f"{seed}/data").randrange(2**32)  # noqa: S311 (a name for data, not a secret)


def order_cells(cells: Sequence[Cell], seed: int, block: int) -> list[Cell]:
    """Return the cells in the random order of one block; the same seed repeats it."""
    return random.Random(f"{seed}/{block}").sample(list(cells), len(cells))  # noqa: S311 (order, not secrets)
