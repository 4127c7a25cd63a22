"""Random numbers in a step: two calls on the same inputs differ, so it can neither be verified nor judge others."""

from collections.abc import Callable, Sequence

from schemas.job import Dtype
from workers.arrays import Array, measure_change
from workers.interfaces import FindsRandomness, Framework

# The relative change that threads may cause, which add up in any order.
MAX_CHANGE: dict[Dtype, float] = {"float64": 1e-9, "float32": 1e-3, "bfloat16": 1e-1, "float16": 1e-2}

MAX_NAMED_PARTS = 4


def find_randomness(compute: Callable[[], Sequence[Array]], framework: Framework, model: object, dtype: Dtype) -> str:
    """Compute the same results twice, and describe how they differ; empty if they do not.

    The description names the parts of the model that are the cause, and says what to do about them.
    """
    change = measure_change(compute(), compute())
    if change <= MAX_CHANGE[dtype]:
        return ""
    parts = framework.list_random_parts(model) if isinstance(framework, FindsRandomness) else ()
    cause = ", ".join(list(parts)[:MAX_NAMED_PARTS]) + (", ..." if len(parts) > MAX_NAMED_PARTS else "")
    remedy = f"set the rate of {cause} to 0" if parts else "let the model draw no random numbers"
    return f"two calls on the same inputs differ by {change:.2g} of the result: {remedy}"
