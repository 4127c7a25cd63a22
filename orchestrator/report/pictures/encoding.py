"""Parts of Vega-Lite specifications that several pictures share."""

from typing import Any, Final

from orchestrator.report.pictures import Spec

SI: Final = (
    "datum.value == 0 ? '0' : datum.value >= 1e9 ? format(datum.value / 1e9, '~g') + ' {0}'"
    " : datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' {1}'"
    " : datum.value >= 1e3 ? format(datum.value / 1e3, '~g') + ' {2}' : format(datum.value, '~g') + ' {3}'"
)
DURATIONS: Final = SI.format("s", "ms", "µs", "ns")
RATES: Final = SI.format("G", "M", "k", "")
SIZES: Final = (
    "datum.value >= 1073741824 ? format(datum.value / 1073741824, '~g') + ' GiB'"
    " : format(datum.value / 1048576, '~g') + ' MiB'"
)
COUNTS: Final = "datum.value >= 1e6 ? format(datum.value, '~s') : format(datum.value, ',')"


def quantity(field: str, title: str | None, *, log: bool = False, labels: str = "", **scale: Any) -> Spec:
    """A number on an axis. `labels` is how its ticks are written, as a Vega expression."""
    axis: Spec = {"title": title, "labelOverlap": True, "labelSeparation": 8, "tickCount": 8}
    return {
        "field": field,
        "type": "quantitative",
        "axis": axis | ({"labelExpr": labels} if labels else {}),
        "scale": ({"type": "log"} if log else {"zero": False}) | scale,
    }


def modes(**more: Any) -> Spec:
    """The modes in their order, one under the other."""
    return {"field": "mode", "type": "nominal", "title": None, "scale": {"domain": "$modes"}, "axis": {"grid": False},
            **more}  # fmt: skip


def tone(**more: Any) -> Spec:
    """Each mode its colour."""
    return {"field": "mode", "type": "nominal", "title": None, "scale": {"domain": "$modes", "range": "$tones"}, **more}


def dash() -> Spec:
    """Each mode its dash."""
    return {"field": "mode", "type": "nominal", "title": None, "scale": {"domain": "$modes", "range": "$dashes"}}


def shape() -> Spec:
    """Each mode its marker."""
    return {"field": "mode", "type": "nominal", "title": None, "scale": {"domain": "$modes", "range": "$shapes"}}


def told(**fields: str) -> list[Spec]:
    """What is said of a mark under the pointer: fields, under the names that people know them by."""
    return [{"field": field, "title": title} for field, title in fields.items()]


def where(condition: str) -> list[Spec]:
    """Keep the rows of which this expression holds."""
    return [{"filter": condition}]
