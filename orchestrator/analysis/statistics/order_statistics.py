"""Expected minimum of some of a process's samples, so that floors of unequal numbers of samples can be compared."""

from collections.abc import Sequence


def expect_minimum(ordered: Sequence[float], drawn: int) -> float:
    """Return the expected minimum of `drawn` of these ascending values, drawn without replacement.

    The i-th of m values is the minimum of k drawn ones with probability C(m-i, k-1) / C(m, k): the k-1 others are among
    the m-i larger ones. David and Nagaraja, Order Statistics, 3rd edition, 3.7. All values drawn: their minimum.

    Raises:
        ValueError: fewer than one value is drawn, or more than there are.
    """
    count = len(ordered)
    if not 1 <= drawn <= count:
        raise ValueError(f"{drawn} of {count} values cannot be drawn")
    weight, expected = drawn / count, 0.0
    for place, value in enumerate(ordered[: count - drawn + 1], 1):
        expected += weight * value
        # The ratio of successive probabilities avoids large binomials.
        weight *= (count - place - drawn + 1) / (count - place) if place < count else 0.0
    return expected
