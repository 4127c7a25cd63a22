"""Parts of Vega-Lite specifications that several charts share."""

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.report.page.charts import Spec, Value

# Vega expressions that format an axis tick.
SI_TICKS: Final = (
    "datum.value == 0 ? '0' : datum.value >= 1e9 ? format(datum.value / 1e9, '~g') + ' {0}'"
    " : datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' {1}'"
    " : datum.value >= 1e3 ? format(datum.value / 1e3, '~g') + ' {2}' : format(datum.value, '~g') + ' {3}'"
)
DURATION_TICKS: Final = SI_TICKS.format("s", "ms", "µs", "ns")
RATE_TICKS: Final = SI_TICKS.format("G", "M", "k", "")
COUNT_TICKS: Final = "datum.value >= 1e6 ? format(datum.value, '~s') : format(datum.value, ',')"

# Ticks of logarithmic axes. Vega drops those that would overlap.
TENS: Final = [10.0**power for power in range(-3, 19)]
ONE_TWO_FIVE: Final = [step * power for power in TENS for step in (1, 2, 5)]


def fit_height(step: int, *fields: str) -> Spec:
    """Reserve `step` pixels for each combination of these fields' values. The page counts the combinations."""
    return {"height": "$height", "usermeta": {"step": step, "fields": [*fields]}}


def encode_zoomed(field: str, title: str, *, labels: str, padding: int = 8) -> Spec:
    """Encode a number on a logarithmic axis that shows only the range of the data, however narrow that is."""
    # Within a decade, ticks at given powers might all lie outside; Vega then chooses finer ones.
    found = encode_quantity(field, title, at=TENS, labels=labels, nice=False, padding=padding)
    axis = {name: value for name, value in found["axis"].items() if name != "values"} | {"tickCount": 5}
    return found | {"axis": axis}


def encode_quantity(
    field: str, title: str, *, at: Sequence[float] = (), labels: str = "", grid: bool = True, **scale: Value
) -> Spec:
    """Encode a number on an axis, logarithmic if `at` gives ticks. `labels` is a Vega expression that formats them."""
    axis: Spec = {"title": title, "grid": grid, "labelOverlap": "greedy", "labelSeparation": 6}
    return {
        "field": field,
        "type": "quantitative",
        "axis": axis | ({"values": at} if at else {"tickCount": 6}) | ({"labelExpr": labels} if labels else {}),
        "scale": ({"type": "log"} if at else {"zero": True}) | scale,
    }


def encode_modes() -> Spec:
    """Encode the modes as rows, in their order."""
    scale = {"domain": "$modes"}
    return {"field": "mode", "type": "nominal", "title": None, "scale": scale, "axis": {"grid": False}}


def encode_row_tone() -> Spec:
    """Encode the mode's colour without a legend, from the field `tone` that the page adds to each row."""
    return {"field": "tone", "type": "nominal", "scale": None, "legend": None}


def encode_nominal(field: str, domain: str | Sequence[str], looks: str | Sequence[str], **legend: Value) -> Spec:
    """Encode names as these looks, with a legend."""
    scale, shown = {"domain": domain, "range": looks}, {"columns": "$columns"} | legend
    return {"field": field, "type": "nominal", "title": None, "scale": scale, "legend": shown}


def encode_tone() -> Spec:
    """Encode each mode as a colour."""
    return encode_nominal("mode", "$modes", "$tones")


def encode_dash() -> Spec:
    """Encode each mode as a dash pattern, with legend symbols long enough to show it."""
    return encode_nominal("mode", "$modes", "$dashes", symbolSize=500, symbolStrokeWidth=2)


def encode_marker() -> Spec:
    """Encode each mode as a marker."""
    return encode_nominal("mode", "$modes", "$shapes")


def encode_categories(field: str, tones: Mapping[str, str]) -> Spec:
    """Encode fixed categories as these colours."""
    return encode_nominal(field, [*tones], [*tones.values()])


def make_tooltip(**fields: str) -> list[Spec]:
    """Describe a mark's tooltip: fields and the titles to show them under."""
    return [{"field": field, "title": title} for field, title in fields.items()]


def filter_rows(condition: str) -> list[Spec]:
    """Keep the rows for which a Vega expression holds."""
    return [{"filter": condition}]
