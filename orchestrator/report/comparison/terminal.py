"""A comparison of two runs, on a terminal and as one document."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.rows import finite_or_none
from orchestrator.comparison.changes import Change, Ratio
from orchestrator.comparison.compare import Compared
from orchestrator.comparison.gates import GateResult
from orchestrator.comparison.sides import RunSide
from orchestrator.format import format_duration, format_ratio, format_ratio_range, to_printable
from orchestrator.records.labels import format_title
from orchestrator.report.comparison.sentences import describe_basis, describe_comparison
from orchestrator.report.machine import type_to_dict
from orchestrator.report.tables import fold_verdict, format_ratio_with_interval, make_table, number_columns
from orchestrator.report.values import interval_to_dict
from schemas.base import SCHEMA_VERSION

# Shown in place of a verdict where none is given.
NO_VERDICT = "observed"


def show_comparison(console: Console, compared: Compared, judged: Sequence[GateResult]) -> None:
    """Print the basis of a comparison, a table for each computation, and sentences. Fits 80 columns."""
    # Everything is printed as Text: Rich would read brackets in a plain string as markup.
    for line in describe_basis(compared):
        console.print(Text(line))
    for name, changes in groupby(compared.changes, key=lambda change: format_title(change.cell)):
        console.print()
        console.print(build_change_table(name, list(changes)))
    console.print()
    for sentence in describe_comparison(compared, judged):
        console.print(Text(f"• {sentence}"))


def build_change_table(name: str, changes: Sequence[Change]) -> Table:
    """Return the table of one computation, with a row for each mode."""
    numbers = number_columns("A\nB", "n", "B over A\n(95 % interval)", "memory")
    drawn = make_table("mode", *numbers, "verdict", title=name, bold=True)
    for change in changes:
        drawn.add_row(Text(to_printable(change.cell.label)), *map(Text, format_change(change)))
    return drawn


def format_change(change: Change) -> tuple[str, ...]:
    """Return the columns of one cell after its name: A above B, then their ratios. Memory is the whole process's."""
    sides = (change.before, change.after)
    return (
        "\n".join(format_duration(each.floor_ns.estimate) for each in sides),
        "\n".join(f"{each.jobs} {each.grade}" for each in sides),
        "\n".join(format_time_ratios(change)),
        format_footprint_ratio(change),
        fold_verdict(change.verdict or NO_VERDICT),
    )


def format_time_ratios(change: Change) -> list[str]:
    """Return the claimed ratio and, where it differs, the ratio observed in these runs alone."""
    if change.verdict is None:
        return [format_ratio_with_interval(change.time.observed)]
    same = change.time.claimed == change.time.observed
    return [
        format_ratio_with_interval(change.time.claimed),
        *([] if same else [f"these runs: {format_ratio_range(change.time.observed, '–')}"]),
    ]


def format_footprint_ratio(change: Change) -> str:
    """Return the ratio of the two footprints; a dash if either is unknown."""
    found = change.memory.get("footprint")
    return "–" if found is None else format_ratio(found.observed.estimate)


def build_comparison_document(compared: Compared, judged: Sequence[GateResult]) -> dict[str, Any]:
    """Return a whole comparison. What the data do not support is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "before": side_to_dict(compared.before),
        "after": side_to_dict(compared.after),
        "ground": compared.ground,
        "apart_s": compared.apart_s,
        "machines": list(compared.machines),
        "software": list(compared.software),
        "builds": list(compared.builds),
        "together": None
        if compared.together is None
        else {
            "cells": compared.together.cells,
            "log_common": compared.together.common,
            "log_spread": compared.together.spread,
            "canary_ratio": finite_or_none(compared.canary),
        },
        "changes": [change_to_dict(change) for change in compared.changes],
        "missing": list(compared.missing),
        "gates": [gate_to_dict(each) for each in judged],
        "basis": describe_basis(compared),
        "sentences": describe_comparison(compared, judged),
    }


def side_to_dict(side: RunSide) -> dict[str, Any]:
    """Return one side as data."""
    host = side.manifest.host
    return {
        "name": side.name,
        "started": side.manifest.started,
        "machine_type": type_to_dict(host),
        "fingerprint": host.content_hash,
    }


def change_to_dict(change: Change) -> dict[str, Any]:
    """Return one cell as data. `verdict` is null where no claim may be made."""
    return {
        "cell": change.cell.model_dump(mode="json"),
        "floor_ns": [interval_to_dict(each.floor_ns) for each in (change.before, change.after)],
        "grades": [change.before.grade, change.after.grade],
        "time": ratio_to_dict(change.time),
        "memory": {metric: ratio_to_dict(ratio) for metric, ratio in change.memory.items()},
        "p": finite_or_none(change.p),
        "verdict": change.verdict,
        "reason": change.reason,
    }


def ratio_to_dict(ratio: Ratio) -> dict[str, Any]:
    """Return a ratio as it was observed and as it may be claimed."""
    return {"observed": interval_to_dict(ratio.observed), "claimed": interval_to_dict(ratio.claimed)}


def gate_to_dict(judged: GateResult) -> dict[str, Any]:
    """Return one gate with the cells that certainly exceed it, those certainly within it, and those undecided."""
    return {
        "gate": judged.gate.text,
        "outcome": judged.outcome,
        "beyond": [change.cell.id for change in judged.beyond],
        "within": [change.cell.id for change in judged.within],
        "open": [change.cell.id for change in judged.open],
    }
