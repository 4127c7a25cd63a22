"""Numbers as people read them."""

import math

from orchestrator.analysis.statistics import Interval

STEPS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))


def duration(nanoseconds: float) -> str:
    """Three significant digits with their unit: `34.5 µs`."""
    if not math.isfinite(nanoseconds):
        return "–"
    rounded = float(f"{nanoseconds:.2e}")
    scale, unit = next((step for step in STEPS if abs(rounded) >= step[0]), STEPS[-1])
    value = rounded / scale
    if value >= 1000:
        return f"{nanoseconds / scale:.0f} {unit}"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{min(digits, 2)}f} {unit}"


def ratio(value: float) -> str:
    """A ratio of times: `1.043`, `12.3`."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def between(interval: Interval, dash: str = " to ") -> str:
    """The ends of a ratio's interval; empty when the data support none."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)) or interval.low <= 0:
        return ""
    return f"{ratio(interval.low)}{dash}{ratio(interval.high)}"


def printable(text: str) -> str:
    """Text without characters that a terminal would obey: what a worker says is data."""
    return "".join(character if character.isprintable() or character in "\t\n" else "�" for character in text)


def clock(seconds: float) -> str:
    """Minutes and seconds: `3:20`."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"
