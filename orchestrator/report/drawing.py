"""Vega-Lite, which draws a page's pictures in the browser: its script, and how it is to look.

The script comes out of the installed library, so that a page needs nothing else; it is the same for every page. It
evaluates no text as code, and the colours are variables of the page's style, which knows light from dark and print.
"""

import functools
from typing import Any, Final

import vl_convert

from orchestrator.report.pictures import Spec, cost, memory, phases, ratios, roofline, samples, schedule, times, warmup

SPECS: Final[dict[str, Spec]] = {
    "times": times.SPEC,
    "ratios": ratios.SPEC,
    "cost": cost.SPEC,
    "phases": phases.SPEC,
    "memory": memory.SPEC,
    "warmup": warmup.SPEC,
    "samples": samples.SPEC,
    "roofline": roofline.SPEC,
    "schedule": schedule.SPEC,
}

SILENT: Final = {"aria": False}
"""The page says in words what a picture shows, and has it in a table; its marks one by one would drown that."""

TEXT: Final = {"labelColor": "var(--ink)", "titleColor": "var(--ink)", "labelFontSize": 13, "titleFontSize": 13}
CONFIG: Final[dict[str, Any]] = {
    "mark": SILENT,
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": SILENT
    | TEXT
    | {
        "titleFontWeight": "normal",
        "gridColor": "var(--grid)",
        "domainColor": "var(--faint)",
        "tickColor": "var(--faint)",
        "labelLimit": 240,
    },
    "legend": SILENT
    | TEXT
    | {"orient": "bottom", "direction": "horizontal", "labelLimit": 240, "symbolSize": 90, "symbolOpacity": 1},
}
WIDE: Final[Spec] = {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
"""As wide as the page has room for, unless a picture says otherwise."""


def specifications() -> dict[str, Spec]:
    """What each kind of picture is, as the page holds it."""
    return {kind: WIDE | spec for kind, spec in SPECS.items()}


@functools.cache
def script() -> str:
    """Vega-Lite with all that it needs, as a script that makes `vegaEmbed` known; about 900 kB."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
