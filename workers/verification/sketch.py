"""Sketches of results: a few sums by which processes that never meet can tell how far their results are apart.

A sketch is linear: that of a difference is the difference of the sketches, and its 2-norm estimates the 2-norm of the
difference (Charikar, Chen and Farach-Colton 2002, "Finding frequent items in data streams"). Each value is added to one
of the sums, or subtracted from it. With 64 sums, the standard deviation of the estimate is 9 %; with 16, it is 18 %.
Fewer values than sums are their own sketch, which is exact.
"""

import numpy as np

from workers.arrays import Array, widen_values

# The sums of all tensors of a computation together, unless each already has the fewest.
ALL_SUMS = 1024
MOST_SUMS, LEAST_SUMS = 64, 16

# Values that are added up at a time, which bounds the memory.
CHUNK = 1 << 20


def count_sums(tensors: int) -> int:
    """Return the number of sums in each of so many sketches: a power of two."""
    size = MOST_SUMS
    while size > LEAST_SUMS and size * tensors > ALL_SUMS:
        size //= 2
    return size


def sketch_tensor(tensor: Array, size: int) -> tuple[float, ...]:
    """Return the sketch of a tensor; empty if a value is not finite."""
    values = widen_values(tensor).ravel().view(np.float64)
    if values.size <= size:
        return to_finite(np.pad(values, (0, size - values.size)))
    # Raw bits are the same with every version of NumPy, which drawn integers need not be.
    bits, sums = np.random.PCG64(0), np.zeros(2 * size)
    for start in range(0, values.size, CHUNK):
        part = values[start : start + CHUNK]
        places = bits.random_raw(-(-part.size // 8)).view(np.uint8)[: part.size] % (2 * size)
        sums += np.bincount(places, part, 2 * size)
    return to_finite(sums[:size] - sums[size:])


def to_finite(sums: Array) -> tuple[float, ...]:
    """Return numbers as a tuple; empty if one is not finite."""
    return tuple(sums.tolist()) if np.isfinite(sums).all() else ()
