"""Implementation of `selftest`, apart from other commands: the rules of other tools take a second to import."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_json, print_line
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.report import false_positives, selftest
from orchestrator.selftest import run as instrument
from orchestrator.selftest.checks import aa
from orchestrator.selftest.false_positives import EXPERIMENT_BLOCKS


def run_selftest(root: Path, *, as_json: bool, command: Sequence[str]) -> ExitCode:
    """Run every check of this program against known truth."""
    console, promises = Console(stderr=as_json), [promise() for promise in instrument.CHECKS]
    cells = [cell for promise in promises for cell in promise.cells]
    with instrument.open_selftest(root, validate_sweep({"name": "selftest"}), cells, command) as bench:
        findings = instrument.run(
            promises, bench, lambda event: print_line(console, selftest.format_check_event(event))
        )
        stopped = bench.record_ending("all checks were run")
    if as_json:
        print_json(selftest.build_selftest_document(bench.run.name, findings, bench.host, stopped))
    else:
        selftest.show_selftest(console, findings, bench.host, str(bench.run.jobs_folder))
    return choose_exit_code(bench, kept=all(finding.has_passed for finding in findings))


def run_aa_test(root: Path, budget: str, *, as_json: bool, command: Sequence[str]) -> ExitCode:
    """Measure how often clones of one cell are reported as different, here and by the rules of other tools."""
    console = Console(stderr=as_json)
    spec = validate_sweep({"name": "selftest-aa", "stop": {"budget": budget, "blocks": instrument.MAX_BLOCKS}})
    with instrument.open_selftest(
        root,
        spec,
        aa.CELLS,
        command,
        lambda event: print_line(console, false_positives.format_experiment_start(event, EXPERIMENT_BLOCKS)),
    ) as bench:
        trial = instrument.measure_clones(bench)
        stopped = bench.record_ending(f"the budget of {spec.stop.budget:g} s was used up")
    if as_json:
        print_json(false_positives.build_rates_document(bench.run.name, trial, stopped))
    else:
        false_positives.show_rates(console, trial, str(bench.run.jobs_folder))
    return choose_exit_code(bench, kept=trial.has_passed)


def choose_exit_code(bench: instrument.SelfTest, *, kept: bool) -> ExitCode:
    """Return the exit code of a self-test that ended, or was interrupted."""
    if bench.interrupts.received:
        return ExitCode.INTERRUPTED
    return ExitCode.FINE if kept else ExitCode.FELL_SHORT
