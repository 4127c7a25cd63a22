"""The accuracy of a cell: what its precision costs beside its time."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.analysis.derivation.process import Figures


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The largest error of a cell's results against the float64 reference, and the tolerance of that tensor.

    `equal_argmax` is the mean share of rows whose largest value is where the reference's is; None: no output has rows.
    """

    error: float
    tolerance: float
    equal_argmax: float | None = None


def summarise_accuracy(figures: Iterable[Figures]) -> Accuracy | None:
    """Return the accuracy of a cell over its processes; None without a check."""
    known = [each for each in figures if each.largest_error is not None and each.its_tolerance is not None]
    if not known:
        return None
    worst = max(known, key=lambda each: each.largest_error or 0.0)
    shares = [each.equal_argmax for each in known if each.equal_argmax is not None]
    return Accuracy(
        error=worst.largest_error or 0.0,
        tolerance=worst.its_tolerance or 0.0,
        equal_argmax=statistics.fmean(shares) if shares else None,
    )
