"""`selftest`: this program measured on known truth, and its rate of false claims about clones."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.cli.core_claims import make_announcer
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_json, print_line
from orchestrator.errors import UsageError
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.processes.descendants import make_temporary_folder
from orchestrator.report.false_positives import build_rates_document, format_experiment_start, show_rates
from orchestrator.report.selftest import build_selftest_document, format_check_event, show_selftest
from orchestrator.selftest.check import Check
from orchestrator.selftest.checks import trust
from orchestrator.selftest.checks.aa import CELLS as CLONES
from orchestrator.selftest.false_positives import EXPERIMENT_BLOCKS
from orchestrator.selftest.known_code import list_installed_kinds, write_folders
from orchestrator.selftest.run import CHECK_MAKERS, MAX_BLOCKS, SelfTest, measure_clones, open_selftest, run_checks


def run_selftest(root: Path, *, as_json: bool, wait: bool, command: Sequence[str]) -> ExitCode:
    """Run every check of this program against known truth."""
    checks = [make_check() for make_check in CHECK_MAKERS]
    return run_known(root, checks, as_json=as_json, wait=wait, command=command)


def run_trust_test(root: Path, *, as_json: bool, wait: bool, command: Sequence[str]) -> ExitCode:
    """Measure models that cheat and honest ones that are odd, in the frameworks that are installed here."""
    kinds = list_installed_kinds()
    if not kinds:
        raise UsageError("no framework is installed in this environment; install torch, tensorflow-cpu or jax first")
    with make_temporary_folder() as folder:
        checks = [trust.make_check(kinds, write_folders(folder))]
        return run_known(root, checks, as_json=as_json, wait=wait, command=command)


def run_known(root: Path, checks: Sequence[Check], *, as_json: bool, wait: bool, command: Sequence[str]) -> ExitCode:
    """Run these checks, and show what they found."""
    console = Console(stderr=as_json)
    cells = [cell for check in checks for cell in check.cells]
    spec, announce = validate_sweep({"name": "selftest"}), make_announcer(console, wait=wait)
    with open_selftest(root, spec, cells, command, on_wait=announce) as selftest:
        results = run_checks(checks, selftest, lambda event: print_line(console, format_check_event(event)))
        stopped = selftest.record_ending("all checks were run")
    if as_json:
        print_json(build_selftest_document(selftest.run.name, results, selftest.host, stopped))
    else:
        show_selftest(console, results, selftest.host, str(selftest.run.jobs_folder))
    return choose_exit_code(selftest, has_passed=all(result.has_passed for result in results))


def run_aa_test(root: Path, budget: str, *, as_json: bool, wait: bool, command: Sequence[str]) -> ExitCode:
    """Measure how often clones of one cell are reported as different."""
    console = Console(stderr=as_json)
    spec = validate_sweep({"name": "selftest-aa", "stop": {"budget": budget, "blocks": MAX_BLOCKS}})
    with open_selftest(
        root,
        spec,
        CLONES,
        command,
        lambda event: print_line(console, format_experiment_start(event, EXPERIMENT_BLOCKS)),
        make_announcer(console, wait=wait),
    ) as selftest:
        clones = measure_clones(selftest)
        stopped = selftest.record_ending(f"the budget of {spec.stop.budget:g} s was used up")
    if as_json:
        print_json(build_rates_document(selftest.run.name, clones, stopped))
    else:
        show_rates(console, clones, str(selftest.run.jobs_folder))
    return choose_exit_code(selftest, has_passed=clones.has_passed)


def choose_exit_code(selftest: SelfTest, *, has_passed: bool) -> ExitCode:
    """Return the exit code of a self-test, which a signal may have ended."""
    if selftest.interrupts.received:
        return ExitCode.INTERRUPTED
    return ExitCode.FINE if has_passed else ExitCode.CHECK_FAILED
