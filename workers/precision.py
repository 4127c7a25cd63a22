"""The precision that a cell claims, checked in the weights and outputs of its model."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from schemas.job import Cell
from workers.errors import Malformed

# Floating-point dtypes by their names in every framework, with the digits of each.
DIGITS = {
    "float16": 11,
    "bfloat16": 8,
    "float32": 24,
    "float64": 53,
    "complex32": 11,
    "complex64": 24,
    "complex128": 53,
}


# Open while results are compared more closely anyway.
ACCEPTS_ANY: ContextVar[bool] = ContextVar("ACCEPTS_ANY", default=False)


@contextmanager
def accept_any_precision() -> Iterator[None]:
    """Accept outputs of any precision inside."""
    token = ACCEPTS_ANY.set(True)
    try:
        yield
    finally:
        ACCEPTS_ANY.reset(token)


def check_precision(dtypes: Iterable[object], cell: Cell, *, more_is_fine: bool = False) -> None:
    """Check that the floating-point outputs of a step have the precision that its cell claims.

    A loss may always have more: many models compute it in float32.

    Raises:
        Malformed: an output has another precision.
    """
    for number, dtype in enumerate(() if ACCEPTS_ANY.get() else dtypes):
        name = str(dtype).removeprefix("torch.")
        is_loss = number == 0 and cell.task != "forward"
        if name in DIGITS and not has_precision(name, cell, more_is_fine=more_is_fine or is_loss):
            raise Malformed(
                f"the step returned {name} as tensor {number}, but this computes in {cell.dtype}: keep the dtype of "
                "the weights and inputs"
            )


def check_weight_precision(dtypes: Mapping[str, object], cell: Cell, place: str = "") -> None:
    """Check that a model's weights have the precision that its cell claims.

    Raises:
        Malformed: a weight has another precision.
    """
    for weight, dtype in dtypes.items():
        name = str(dtype).removeprefix("torch.")
        if name in DIGITS and not has_precision(name, cell):
            raise Malformed(
                f"Model: the weight {weight} is {name}, but this computes in {cell.dtype}: build it in the dtype of "
                "the weights that the model is given",
                place,
            )


def has_precision(dtype: str, cell: Cell, *, more_is_fine: bool = False) -> bool:
    """Return whether a floating-point dtype is that of a cell, or its complex partner."""
    if dtype == "complex64" and cell.dtype in ("bfloat16", "float16"):  # no complex dtype is smaller
        return True
    found, due = DIGITS[dtype], DIGITS[cell.dtype]
    return found == due or (more_is_fine and found > due)
