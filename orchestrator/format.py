"""Numbers and names in the form in which people read them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports NumPy, which a command that only prints does not need
    from orchestrator.analysis.statistics.intervals import Interval

SIZE_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))
TIME_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))


def format_duration(nanoseconds: float) -> str:
    """Return a duration with three significant digits and its unit: `34.5 µs`."""
    if not math.isfinite(nanoseconds):
        return "–"
    # Rounding comes first, so that 999.6 ns becomes 1.00 µs and not 1000 ns.
    rounded = float(f"{nanoseconds:.2e}")
    scale, unit = next((step for step in TIME_UNITS if abs(rounded) >= step[0]), TIME_UNITS[-1])
    value = rounded / scale
    if value >= 1000:
        return f"{nanoseconds / scale:.0f} {unit}"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{min(digits, 2)}f} {unit}"


def format_size(count: float) -> str:
    """Return a number of bytes with three significant digits: `208 MiB`."""
    if not math.isfinite(count):
        return "–"
    scale, unit = next(((scale, unit) for scale, unit in SIZE_UNITS if abs(count) >= scale), SIZE_UNITS[-1])
    value = count / scale
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{min(digits, 1)}f} {unit}"


def format_rank(best: int, worst: int) -> str:
    """Return a rank: `1`, or `2–3` if ranks are shared."""
    return str(best) if best == worst else f"{best}–{worst}"


def format_ratio(value: float) -> str:
    """Return a ratio of times: `1.043`, `12.3`."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def format_ratio_range(interval: "Interval", dash: str = " to ") -> str:
    """Return the ends of a ratio's interval; empty if the data support none."""
    # A ratio is above zero: a low end of zero says that there is none.
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)) or interval.low <= 0:
        return ""
    return f"{format_ratio(interval.low)}{dash}{format_ratio(interval.high)}"


def format_error(value: float, whole: Callable[[float], int] = round) -> str:
    """Return a relative error with one digit: `0.3`, `2e-7`, `40`; with `math.ceil`, one that it does not exceed."""
    if not math.isfinite(value):
        return "–"
    if value <= 0:
        return "0"
    place = math.floor(math.log10(value))
    # The ceiling of a digit that a rounding made a little larger would be the next one.
    digit = whole(round(value / 10.0**place, 9))
    said = f"{digit * 10.0**place:.1g}"
    return f"{float(said):g}".replace("e-0", "e-").replace("e+0", "e")


def join_names(names: Sequence[str], word: str = "or") -> str:
    """Join names as `a`, `a or b`, `a, b or c`."""
    return f" {word} ".join([part for part in (", ".join(names[:-1]), *names[-1:]) if part])


def to_printable(text: str) -> str:
    """Replace characters that a terminal would obey: the output of a worker is data."""
    return "".join(character if character.isprintable() or character in "\t\n" else "�" for character in text)


# Characters of a mode's name that fit its column on one line; `tensorflow:function` has 19.
MAX_LABEL_LENGTH = 20


def fold_label(label: str) -> str:
    """Return a mode's name for a column: what does not fit takes another line, be it a mode or a clone's mark."""
    if len(label) <= MAX_LABEL_LENGTH:
        return to_printable(label)
    name, mark = label.partition(" (")[::2]
    head, _, mode = name.rpartition(":")
    folded = f"{head}:\n {mode}" if "@" in head and len(name) > MAX_LABEL_LENGTH else name
    return to_printable(folded) + (f"\n ({to_printable(mark)}" if mark else "")


def format_clock(seconds: float) -> str:
    """Return minutes and seconds: `3:20`."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"


def format_seconds(seconds: float) -> str:
    """Return a rough duration: `4 s`, `30 s`, `3 min`, `2.5 h`."""
    if seconds < 9.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 95:
        return f"{round(seconds / 5) * 5} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def format_count(count: float) -> str:
    """Return a count of calls: `360,000`, `3.6 million`, `never`."""
    if math.isinf(count):
        return "never"
    for scale, word in ((1e9, "billion"), (1e6, "million")):
        if count >= scale:
            return f"{count / scale:,.12g} {word}"
    return f"{count:,.0f}"


def format_count_range(counts: "Interval", dash: str = " to ") -> str:
    """Return the ends of an interval of counts."""
    return f"{format_count(counts.low)}{dash}{format_count(counts.high)}"


def round_counts(counts: "Interval") -> "Interval":
    """Round counts to two digits, or to a tenth of their interval if that is finer; ends outwards, to at least one."""
    width = counts.high - counts.low
    finest = first_digit_value(width / 10) if math.isfinite(width) else math.inf

    def round_count(count: float, whole: Callable[[float], int]) -> float:
        if not math.isfinite(count):
            return count
        step = min(finest, first_digit_value(count / 10))
        return max(1, whole(count / step) * step)

    # Rounding must never narrow an interval.
    return replace(
        counts,
        estimate=round_count(counts.estimate, round),
        low=round_count(counts.low, math.floor),
        high=round_count(counts.high, math.ceil),
    )


def first_digit_value(count: float) -> int:
    """Return the place value of the first digit of a count: 100 for 345; at least one."""
    return int(10 ** math.floor(math.log10(max(1, count))))
