"""A comparison of two runs, on a terminal and as one document."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.naming import title
from orchestrator.analysis.runs import Change, Ratio
from orchestrator.comparing import Compared
from orchestrator.gates import Judged
from orchestrator.halves import Half
from orchestrator.report.comparison_words import basis, sentences
from orchestrator.report.document import finite, of_interval
from orchestrator.report.terminal import folded, with_interval
from orchestrator.report.units import between, duration, printable
from orchestrator.report.units import ratio as times
from schemas.base import SCHEMA_VERSION

# Shown in place of a verdict where none is given.
NO_VERDICT = "observed"


def show(console: Console, compared: Compared, judged: Sequence[Judged]) -> None:
    """Print the basis of a comparison, a table for each computation, and sentences. Fits 80 columns."""
    # Everything is printed as Text: Rich would read brackets in a plain string as markup.
    for line in basis(compared):
        console.print(Text(line))
    for name, changes in groupby(compared.changes, key=lambda change: title(change.cell)):
        console.print()
        console.print(table(name, list(changes)))
    console.print()
    for sentence in sentences(compared, judged):
        console.print(Text(f"• {sentence}"))


def table(name: str, changes: Sequence[Change]) -> Table:
    """Return the table of one computation, with a row for each mode."""
    drawn = Table(
        title=Text(printable(name)),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    drawn.add_column("mode")
    for heading in ("A\nB", "n", "B over A\n(95 % interval)", "memory"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    drawn.add_column("verdict")
    for change in changes:
        drawn.add_row(Text(printable(change.cell.label)), *map(Text, row(change)))
    return drawn


def row(change: Change) -> tuple[str, ...]:
    """Return the columns of one cell after its name: A above B, then their ratios. Memory is the whole process's."""
    sides = (change.before, change.after)
    return (
        "\n".join(duration(each.floor_ns.estimate) for each in sides),
        "\n".join(f"{each.jobs} {each.grade}" for each in sides),
        "\n".join(ratios(change)),
        footprint(change),
        folded(change.verdict or NO_VERDICT),
    )


def ratios(change: Change) -> list[str]:
    """Return the claimed ratio and, where it differs, the ratio observed in these runs alone."""
    if change.verdict is None:
        return [with_interval(change.time.observed)]
    same = change.time.claimed == change.time.observed
    return [
        with_interval(change.time.claimed),
        *([] if same else [f"these runs: {between(change.time.observed, '–')}"]),
    ]


def footprint(change: Change) -> str:
    """Return the ratio of the two footprints; a dash if either is unknown."""
    found = change.memory.get("footprint")
    return "–" if found is None else times(found.observed.estimate)


def document(compared: Compared, judged: Sequence[Judged]) -> dict[str, Any]:
    """Return a whole comparison. What the data do not support is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "before": of_half(compared.before),
        "after": of_half(compared.after),
        "ground": compared.ground,
        "apart_s": compared.apart_s,
        "machines": list(compared.machines),
        "software": list(compared.software),
        "together": None
        if compared.together is None
        else {
            "cells": compared.together.cells,
            "log_common": compared.together.common,
            "log_spread": compared.together.spread,
            "canary_ratio": finite(compared.canary),
        },
        "changes": [of_change(change) for change in compared.changes],
        "missing": list(compared.missing),
        "gates": [of_gate(each) for each in judged],
        "basis": basis(compared),
        "sentences": sentences(compared, judged),
    }


def of_half(half: Half) -> dict[str, Any]:
    """Return one side as data."""
    return {"name": half.name, "started": half.manifest.started, "fingerprint": half.manifest.host.content_hash}


def of_change(change: Change) -> dict[str, Any]:
    """Return one cell as data. `verdict` is null where no claim may be made."""
    return {
        "cell": change.cell.model_dump(mode="json"),
        "floor_ns": [of_interval(each.floor_ns) for each in (change.before, change.after)],
        "grades": [change.before.grade, change.after.grade],
        "time": of_ratio(change.time),
        "memory": {metric: of_ratio(ratio) for metric, ratio in change.memory.items()},
        "p": finite(change.p),
        "verdict": change.verdict,
        "reason": change.reason,
    }


def of_ratio(ratio: Ratio) -> dict[str, Any]:
    """Return a ratio as it was observed and as it may be claimed."""
    return {"observed": of_interval(ratio.observed), "claimed": of_interval(ratio.claimed)}


def of_gate(judged: Judged) -> dict[str, Any]:
    """Return one gate with the cells that certainly exceed it, those certainly within it, and those undecided."""
    return {
        "gate": judged.gate.said,
        "beyond": [change.cell.id for change in judged.beyond],
        "within": [change.cell.id for change in judged.within],
        "open": [change.cell.id for change in judged.open],
    }
