"""Peak rates of this process: arithmetic by its framework's matrix product, bytes by its framework's sums.

A time that would need higher rates was not spent on the work that it claims. The rates are measured in the same
process, on the same cores and in the same dtype as the cell, after everything that is timed.
"""

from typing import Any

import numpy as np

from schemas.event import Ceiling
from workers.interfaces import Framework, Step
from workers.measurement.stopwatch import Stopwatch

# Sizes of the square matrices whose product shows the arithmetic peak, and further ones for several threads.
PRODUCT_SIZES = (128, 256, 512)
THREADED_SIZES = (1024, 2048, 4096)

# Elements of the vectors whose sum shows the peak of bytes moved, from near caches to far ones.
SUM_SIZES = (1 << 14, 1 << 16, 1 << 18, 1 << 20)

# Single calls of each operation: this many, and more of short ones for this long, so that some are undisturbed.
REPEATS, MOST_REPEATS = 7, 50
LONGEST_S = 0.01

# Bytes of a number in half precision.
HALF = 2

# Larger products are tried only if a call is predicted to take less than this.
LONGEST_PRODUCT_S = 0.1


def measure_ceiling(framework: Framework, itemsize: int, threads: int = 1) -> Ceiling:
    """Measure the highest rates over a few sizes: operations and bytes in one second.

    Several threads need larger products to reach their peak, as far as these take little time. Half precision may be
    so slow that no large product does.
    """
    rng = np.random.default_rng(0)
    flops, moved = 0.0, 0.0
    for size in (*PRODUCT_SIZES, *(THREADED_SIZES if threads > 1 else ())):
        is_optional = size in THREADED_SIZES or (itemsize == HALF and flops > 0)
        if is_optional and 2 * size**3 > LONGEST_PRODUCT_S * flops:
            break
        pair = framework.arrays([rng.standard_normal((size, size)) for _ in range(2)])
        seconds = time_fastest(framework, pair, lambda a, b: (a @ b,))
        flops = max(flops, 2 * size**3 / seconds)
        moved = max(moved, 3 * size**2 * itemsize / seconds)
    for size in SUM_SIZES:
        pair = framework.arrays([rng.standard_normal(size) for _ in range(2)])
        moved = max(moved, 3 * size * itemsize / time_fastest(framework, pair, lambda a, b: (a + b,)))
    return Ceiling(flops_per_s=flops, bytes_per_s=moved)


def join_ceilings(one: Ceiling, other: Ceiling) -> Ceiling:
    """Return the higher of two ceilings for each rate."""
    return Ceiling(
        flops_per_s=max(one.flops_per_s, other.flops_per_s), bytes_per_s=max(one.bytes_per_s, other.bytes_per_s)
    )


def time_fastest(framework: Framework, inputs: tuple[Any, ...], operation: Step) -> float:
    """Return the seconds of the fastest of a few single calls, after one that does not count."""
    watch = Stopwatch(operation, [inputs], framework.synchronise)
    # The first call may compile or start threads, and would understate the peak.
    watch.take_sample(1)
    taken = list[int]()
    while len(taken) < REPEATS or (len(taken) < MOST_REPEATS and sum(taken) < LONGEST_S * 1e9):
        taken.append(watch.take_sample(1))
    return min(taken) / 1e9
