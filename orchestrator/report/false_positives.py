"""Rates of false claims about clones, on the terminal and as JSON."""

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from orchestrator.execution.sweep_events import BlockStarted, SweepEvent
from orchestrator.format import format_duration
from orchestrator.records.labels import format_title
from orchestrator.report.tables import make_table, number_columns
from orchestrator.report.values import interval_to_dict
from orchestrator.selftest.false_positives import EXPERIMENT_BLOCKS, FalsePositiveRate
from orchestrator.selftest.run import CloneMeasurement
from schemas.base import SCHEMA_VERSION

NOTE = (
    "A claim is a significant difference between clones. Pairs of one experiment share processes, but the intervals "
    "assume independent trials and are therefore too narrow."
)


def format_experiment_start(event: SweepEvent, blocks: int) -> str:
    """Return a line at the start of each experiment of `blocks` blocks; empty for any other event."""
    if not isinstance(event, BlockStarted) or (event.block - 1) % blocks:
        return ""
    return f"experiment {event.block // blocks + 1}: {blocks} blocks of {len(event.order)} clones ..."


def show_rates(console: Console, clones: CloneMeasurement, where: str) -> None:
    """Print how often clones were told apart."""
    console.print()
    console.print(build_rates_table(clones.rates))
    for note in (describe_conditions(clones), NOTE):
        console.print(f"• {escape(note)}", highlight=False)
    console.print(f"Records and logs of all jobs: {escape(where)}", highlight=False, soft_wrap=True)


def build_rates_table(rates: Sequence[FalsePositiveRate]) -> Table:
    """Return a table with a row for each kind of trial."""
    columns = (Column("one trial", width=21), *number_columns("claims", "share", "95 %"))
    drawn = make_table(*columns, title="False positives among identical clones of one cell", bold=True)
    for rate in rates:
        share = rate.interval
        drawn.add_row(
            rate.trial,
            f"{rate.claims}/{rate.trials}",
            format_percent(share.estimate),
            f"{100 * share.low:.1f}–{100 * share.high:.1f}",
        )
    return drawn


def format_percent(share: float) -> str:
    """Return a share as `3.7 %`; a dash if there was no trial."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "–"


def describe_conditions(clones: CloneMeasurement) -> str:
    """Return the conditions of the measurement: cell, sizes and machine."""
    clone, host, timing = clones.cells[0], clones.host, clones.spec.timing
    return (
        f"{clone.label}: {format_title(clone)}. Complete experiments of {EXPERIMENT_BLOCKS} "
        f"blocks with {len(clones.cells)} clones: "
        f"{clones.experiments}. Processes: {clones.jobs}, each of {timing.samples} samples of "
        f"{format_duration(timing.sample_ns)}. {host.cpu}, {host.cores} cores, {host.system}, Python {host.python}."
    )


def build_rates_document(run: str, clones: CloneMeasurement, stopped: str) -> dict[str, Any]:
    """Return the same as data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "host": clones.host.model_dump(mode="json"),
        "stopped": stopped,
        "kept": clones.has_passed,
        "cells": [cell.model_dump(mode="json") for cell in clones.cells],
        "experiments": clones.experiments,
        "blocks_each": EXPERIMENT_BLOCKS,
        "rates": [rate_to_dict(rate) for rate in clones.rates],
        "notes": [NOTE],
    }


def rate_to_dict(rate: FalsePositiveRate) -> dict[str, Any]:
    """Return one rate as data."""
    # Without a trial there is no share, and the interval covers everything.
    share = interval_to_dict(rate.interval) if rate.trials else None
    return {"trial": rate.trial, "claims": rate.claims, "trials": rate.trials, "share": share}
