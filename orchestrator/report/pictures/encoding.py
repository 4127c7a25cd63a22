"""Parts of Vega-Lite specifications that several pictures share."""

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.report.pictures import Spec, Value

SI: Final = (
    "datum.value == 0 ? '0' : datum.value >= 1e9 ? format(datum.value / 1e9, '~g') + ' {0}'"
    " : datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' {1}'"
    " : datum.value >= 1e3 ? format(datum.value / 1e3, '~g') + ' {2}' : format(datum.value, '~g') + ' {3}'"
)
DURATIONS: Final = SI.format("s", "ms", "µs", "ns")
RATES: Final = SI.format("G", "M", "k", "")
COUNTS: Final = "datum.value >= 1e6 ? format(datum.value, '~s') : format(datum.value, ',')"

TENS: Final = [10.0**power for power in range(-3, 19)]
ONE_TWO_FIVE: Final = [step * power for power in TENS for step in (1, 2, 5)]
"""Ticks of logarithmic axes, of which an axis shows what it has room for."""


def rows_of(step: int, *fields: str) -> Spec:
    """So high that each combination of these fields has a row of so many pixels; the page counts them."""
    return {"height": "$height", "usermeta": {"step": step, "fields": [*fields]}}


def quantity(
    field: str, title: str, *, at: Sequence[float] = (), labels: str = "", grid: bool = True, **scale: Value
) -> Spec:
    """A number on an axis, which is logarithmic if ticks are given. `labels`: a Vega expression that writes a tick."""
    axis: Spec = {"title": title, "grid": grid, "labelOverlap": "greedy", "labelSeparation": 6}
    return {
        "field": field,
        "type": "quantitative",
        "axis": axis | ({"values": at} if at else {"tickCount": 6}) | ({"labelExpr": labels} if labels else {}),
        "scale": ({"type": "log"} if at else {"zero": True}) | scale,
    }


def modes() -> Spec:
    """The modes in their order, one under the other."""
    scale = {"domain": "$modes"}
    return {"field": "mode", "type": "nominal", "title": None, "scale": scale, "axis": {"grid": False}}


def tone() -> Spec:
    """Each mode its colour, with a legend."""
    scale = {"domain": "$modes", "range": "$tones"}
    return {"field": "mode", "type": "nominal", "title": None, "scale": scale, "legend": {"columns": "$columns"}}


def own_tone() -> Spec:
    """The same colour for a mark that the legend need not show; the page adds it to each row."""
    return {"field": "tone", "type": "nominal", "scale": None, "legend": None}


def dash() -> Spec:
    """Each mode its dash, long enough in the legend to be seen."""
    scale = {"domain": "$modes", "range": "$dashes"}
    return {
        "field": "mode",
        "type": "nominal",
        "title": None,
        "scale": scale,
        "legend": {"columns": "$columns", "symbolSize": 500, "symbolStrokeWidth": 2},
    }


def shape() -> Spec:
    """Each mode its marker."""
    scale = {"domain": "$modes", "range": "$shapes"}
    return {"field": "mode", "type": "nominal", "title": None, "scale": scale, "legend": {"columns": "$columns"}}


def key(field: str, tones: Mapping[str, str]) -> Spec:
    """Colours of a few fixed words, with a legend."""
    scale = {"domain": [*tones], "range": [*tones.values()]}
    return {"field": field, "type": "nominal", "title": None, "scale": scale, "legend": {"columns": "$columns"}}


def told(**fields: str) -> list[Spec]:
    """What is said of a mark under the pointer: fields, under the names that people know them by."""
    return [{"field": field, "title": title} for field, title in fields.items()]


def where(condition: str) -> list[Spec]:
    """Keep the rows of which this expression holds."""
    return [{"filter": condition}]
