"""The results of a self-test: a line for each check as it runs, tables and a conclusion, or one document."""

import math
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.clones import EXPERIMENT_BLOCKS, FalsePositiveRate
from orchestrator.analysis.naming import format_title
from orchestrator.promises import Check, Reading
from orchestrator.report.document import finite_or_none, interval_to_dict
from orchestrator.report.units import format_duration
from orchestrator.selftest import CheckResult, CloneTrial
from orchestrator.sweep import BlockStarted, SweepEvent
from schemas.base import SCHEMA_VERSION
from schemas.record import Host

# None is a reading that is shown but not judged.
MARKS = {True: Text("passed", style="green"), False: Text("FAILED", style="bold red"), None: Text("")}
NOTES = (
    "A claim is a significant difference between clones. Pairs of one experiment share processes, but the intervals "
    "assume independent trials and are therefore too narrow.",
    "pyperf, criterion.rs and torch.utils.benchmark are represented by their decision rules, replayed on the same "
    "samples; the tools themselves use other numbers and lengths of samples.",
)


def format_check_event(event: Check | CheckResult) -> str:
    """Return a line for the start of a check, or for its result."""
    if isinstance(event, Check):
        jobs = len(event.cells) * event.blocks
        return f"{event.name}: running at most {jobs} jobs ..."
    return f"{event.promise.name}: {'passed' if event.has_passed else 'FAILED'} after {event.took_s:.0f} s"


def show_selftest(console: Console, findings: Sequence[CheckResult], host: Host, where: str) -> None:
    """Print all readings and the conclusion."""
    for finding in findings:
        console.print()
        console.print(build_readings_table(finding))
    console.print()
    console.print(escape(summarise_checks(findings)), highlight=False)
    console.print(escape(f"{host.cpu}, {host.cores} cores, {host.system}, Python {host.python}"), highlight=False)
    console.print(f"Records and logs of all jobs: {escape(where)}", highlight=False, soft_wrap=True)


def build_readings_table(finding: CheckResult) -> Table:
    """Return the table of one check's readings."""
    drawn = make_bold_table(f"{finding.promise.name}: {finding.promise.says}")
    for heading, width in (("reading", 23), ("expected", 18), ("got", 29)):
        drawn.add_column(heading, width=width)
    drawn.add_column("", width=6, no_wrap=True)
    for figure in finding.figures:
        drawn.add_row(Text(figure.what), Text(figure.promised), Text(figure.got), MARKS[figure.kept])
    return drawn


def make_bold_table(title: str) -> Table:
    """Return an empty table that fits 80 columns, if its columns do."""
    return Table(
        title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=0, show_edge=False
    )


def summarise_checks(findings: Sequence[CheckResult]) -> str:
    """Return how many checks passed, and which failed."""
    if not findings:
        return "No check was completed."
    broken = [finding.promise for finding in findings if not finding.has_passed]
    took = f"in {sum(finding.took_s for finding in findings):.0f} s"
    if not broken:
        return f"All {len(findings)} checks passed {took}."
    names = ", ".join(promise.name for promise in broken)
    return " ".join(
        [
            f"{len(broken)} of {len(findings)} checks failed {took}: {names}.",
            "Until they pass, trust no comparison made on this machine; stop other work on it and try again.",
            *(describe_chance(promise) for promise in broken if promise.by_chance),
        ]
    )


def describe_chance(promise: Check) -> str:
    """Return how often a check fails although the instrument is right."""
    return f"By chance alone, {promise.name} fails in up to {100 * promise.by_chance:g} % of runs."


def build_selftest_document(run: str, findings: Sequence[CheckResult], host: Host, stopped: str) -> dict[str, Any]:
    """Return the same as data. `stopped` is empty unless a signal ended the self-test."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "host": host.model_dump(mode="json"),
        "stopped": stopped,
        "kept": all(finding.has_passed for finding in findings),
        "promises": [check_result_to_dict(finding) for finding in findings],
    }


def check_result_to_dict(finding: CheckResult) -> dict[str, Any]:
    """Return one check as data."""
    return {
        "name": finding.promise.name,
        "says": finding.promise.says,
        "kept": finding.has_passed,
        "took_s": finding.took_s,
        "figures": [reading_to_dict(figure) for figure in finding.figures],
    }


def reading_to_dict(figure: Reading) -> dict[str, Any]:
    """Return one reading as data. `kept` is null for a reading that is shown but not judged."""
    return {
        "what": figure.what,
        "promised": figure.promised,
        "got": figure.got,
        "kept": figure.kept,
        "numbers": {name: finite_or_none(value) for name, value in figure.numbers.items()},
    }


def format_experiment_start(event: SweepEvent, blocks: int) -> str:
    """Return a line at the start of each experiment of `blocks` blocks; empty for any other event."""
    if not isinstance(event, BlockStarted) or (event.block - 1) % blocks:
        return ""
    return f"experiment {event.block // blocks + 1}: {blocks} blocks of {len(event.order)} clones ..."


def show_rates(console: Console, trial: CloneTrial, where: str) -> None:
    """Print how often each rule told clones apart."""
    console.print()
    console.print(build_rates_table(trial.rates))
    for note in (describe_conditions(trial), *NOTES):
        console.print(f"• {escape(note)}", highlight=False)
    console.print(f"Records and logs of all jobs: {escape(where)}", highlight=False, soft_wrap=True)


def build_rates_table(rates: Sequence[FalsePositiveRate]) -> Table:
    """Return a table with a row for each rule."""
    drawn = make_bold_table("False positives: identical clones of one cell that were told apart")
    for heading, width in (("rule", 26), ("one trial", 21)):
        drawn.add_column(heading, width=width)
    for heading in ("claims", "share", "95 %"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for rate in rates:
        share = rate.interval
        drawn.add_row(
            rate.rule,
            rate.trial,
            f"{rate.claims}/{rate.trials}",
            format_percent(share.estimate),
            f"{100 * share.low:.1f}–{100 * share.high:.1f}",
        )
    return drawn


def format_percent(share: float) -> str:
    """Return a share as `3.7 %`; a dash if there was no trial."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "–"


def describe_conditions(trial: CloneTrial) -> str:
    """Return the conditions of the measurement: cell, sizes and machine."""
    clone, host, timing = trial.cells[0], trial.host, trial.spec.timing
    return (
        f"{clone.label}: {format_title(clone)}. Complete experiments of {EXPERIMENT_BLOCKS} "
        f"blocks with {len(trial.cells)} clones: "
        f"{trial.experiments}. Processes: {trial.jobs}, each of {timing.samples} samples of "
        f"{format_duration(timing.sample_ns)}. {host.cpu}, {host.cores} cores, {host.system}, Python {host.python}."
    )


def build_rates_document(run: str, trial: CloneTrial, stopped: str) -> dict[str, Any]:
    """Return the same as data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "host": trial.host.model_dump(mode="json"),
        "stopped": stopped,
        "kept": trial.has_passed,
        "cells": [cell.model_dump(mode="json") for cell in trial.cells],
        "experiments": trial.experiments,
        "blocks_each": EXPERIMENT_BLOCKS,
        "rates": [rate_to_dict(rate) for rate in trial.rates],
        "notes": list(NOTES),
    }


def rate_to_dict(rate: FalsePositiveRate) -> dict[str, Any]:
    """Return one rule as data."""
    # Without a trial there is no share, and the interval covers everything.
    share = interval_to_dict(rate.interval) if rate.trials else None
    return {"rule": rate.rule, "trial": rate.trial, "claims": rate.claims, "trials": rate.trials, "share": share}
