"""Vega-Lite, which draws the charts of a page in the browser: its script and its style.

The script is bundled from the installed library, so a page loads nothing else. It is the same for every page and
evaluates no text as code. Bundling takes seconds, so the script is kept for later pages. Colours are variables of the
page's style sheet, which handles light, dark and print.
"""

import contextlib
import functools
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.files.cache_folder import find_cache_folder
from orchestrator.files.own_files import read_own_text, write_own_text
from orchestrator.report.page.charts import (
    Spec,
    cost,
    memory,
    nodes,
    phases,
    ratios,
    roofline,
    samples,
    schedule,
    times,
    warmup,
)

SPECS: Final[dict[str, Spec]] = {
    "times": times.SPEC,
    "ratios": ratios.SPEC,
    "nodes": nodes.SPEC,
    "cost": cost.SPEC,
    "phases": phases.SPEC,
    "memory": memory.SPEC,
    "warmup": warmup.SPEC,
    "samples": samples.SPEC,
    "roofline": roofline.SPEC,
    "schedule": schedule.SPEC,
}

# The page describes each chart in words and in a table; a screen reader would drown both in single marks.
NO_ARIA: Final = {"aria": False}

TEXT_STYLE: Final = {"labelColor": "var(--ink)", "titleColor": "var(--ink)", "labelFontSize": 13, "titleFontSize": 13}
CONFIG: Final[dict[str, Any]] = {
    "mark": NO_ARIA,
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": NO_ARIA
    | TEXT_STYLE
    | {
        "titleFontWeight": "normal",
        "gridColor": "var(--grid)",
        "domainColor": "var(--faint)",
        "tickColor": "var(--faint)",
        "labelLimit": 240,
    },
    "legend": NO_ARIA
    | TEXT_STYLE
    | {"orient": "bottom", "direction": "horizontal", "labelLimit": 240, "symbolSize": 90, "symbolOpacity": 1},
}
# As wide as the page allows, unless a chart says otherwise.
FULL_WIDTH: Final[Spec] = {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}


def build_specifications(specs: Mapping[str, Spec] = SPECS) -> dict[str, Spec]:
    """Return the specification of each kind of chart, as a page holds it."""
    return {kind: FULL_WIDTH | spec for kind, spec in specs.items()}


# The script of one version of the library; those of others are removed.
KEPT_PATTERN: Final = "vega-*.js"


@functools.cache
def bundle_vega() -> str:
    """Return Vega-Lite with its dependencies, as a script that defines `vegaEmbed`; about 900 kB."""
    version = importlib.metadata.version("vl-convert-python")
    place = find_cache_folder().joinpath(KEPT_PATTERN.replace("*", version))
    # It becomes a script of the page, so nobody else may have had a hand in it.
    return read_own_text(place) or keep_text(place, bundle_anew())


def bundle_anew() -> str:
    """Bundle the installed library, which takes seconds."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def keep_text(place: Path, text: str) -> str:
    """Keep a text for later, where the disk allows it, and return it."""
    with contextlib.suppress(OSError):
        for older in place.parent.glob(KEPT_PATTERN):
            older.unlink()
        write_own_text(place, text)
    return text
