"""Implementation of `selftest`, apart from other commands: the rules of other tools take a second to import."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator import family
from orchestrator import selftest as instrument
from orchestrator.analysis.clones import BLOCKS
from orchestrator.exits import Exit
from orchestrator.interrupts import Interrupts
from orchestrator.promises import clones
from orchestrator.report import truth
from orchestrator.report.printing import print_json, say
from orchestrator.specfile import validate


def selftest(root: Path, *, as_json: bool, command: Sequence[str]) -> Exit:
    """Run every check of this program against known truth."""
    console, promises = Console(stderr=as_json), [promise() for promise in instrument.PROMISES]
    cells = [cell for promise in promises for cell in promise.cells]
    with Interrupts() as interrupts, family.guarded():
        bench = instrument.begin(root, validate({"name": "selftest"}), cells, command, interrupts)
        instrument.step_aside()
        findings = instrument.run(promises, bench, lambda event: say(console, truth.line(event)))
        stopped = bench.end("all checks were run")
    if as_json:
        print_json(truth.document(bench.run.name, findings, bench.host, stopped))
    else:
        truth.show(console, findings, bench.host, str(bench.run.jobs))
    kept = all(finding.kept for finding in findings)
    return Exit.INTERRUPTED if interrupts.received else Exit.FINE if kept else Exit.FELL_SHORT


def tell_apart(root: Path, budget: str, *, as_json: bool, command: Sequence[str]) -> Exit:
    """Measure how often clones of one cell are reported as different, here and by the rules of other tools."""
    console = Console(stderr=as_json)
    spec = validate({"name": "selftest-aa", "stop": {"budget": budget, "blocks": instrument.MOST_BLOCKS}})
    with Interrupts() as interrupts, family.guarded():
        bench = instrument.begin(
            root, spec, clones.CELLS, command, interrupts, lambda event: say(console, truth.experiment(event, BLOCKS))
        )
        instrument.step_aside()
        trial = instrument.tell_apart(bench)
        stopped = bench.end(f"the budget of {spec.stop.budget:g} s was used up")
    if as_json:
        print_json(truth.rates_document(bench.run.name, trial, stopped))
    else:
        truth.show_rates(console, trial, str(bench.run.jobs))
    return Exit.INTERRUPTED if interrupts.received else Exit.FINE if trial.kept else Exit.FELL_SHORT
