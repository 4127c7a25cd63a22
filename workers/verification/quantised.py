"""The limit of the error of a mode in 8 bits, which cannot be held to the tolerance of a floating-point dtype.

With 256 steps from its least to its largest value, a tensor is off by its step over the square root of 12, as a
uniform error is. If its largest value is 3.5 times its root mean square, that is 2^-7 of its 2-norm. Both operands of a
product are quantised, and on some processors weights have only 128 steps. Together that is the square root of 2^-14 +
2^-12, or 1.7 %. Errors of products one after another are independent, so they grow with the square root of the number
of products: a chain of about 200 reaches 2^-2. An output that has nothing to do with the right one is off by 1 or more.
"""

from collections.abc import Sequence

from schemas.event import TensorCheck

# The largest relative error, by the 2-norm, of a result of a mode in 8 bits.
INT8_TOLERANCE = 0.25


def hold_quantised(checks: Sequence[TensorCheck]) -> tuple[TensorCheck, ...]:
    """Return the checks with the limit of 8 bits; what cannot be compared at all still fails."""
    return tuple(
        check.model_copy(
            update={"tolerance": INT8_TOLERANCE, "passed": check.error is not None and check.error <= INT8_TOLERANCE}
        )
        for check in checks
    )
