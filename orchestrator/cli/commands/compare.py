"""`compare`: two runs against each other, and gates."""

from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_json
from orchestrator.comparison import compare, gates
from orchestrator.report.comparison import markdown, terminal


def compare_runs(
    root: Path,
    one: str,
    other: str,
    how: compare.CompareOptions,
    *,
    fail_on: Sequence[str],
    as_json: bool,
    as_markdown: bool,
) -> ExitCode:
    """Compare two runs as the options ask for, and apply the gates to what changed."""
    asked = [gates.parse_gate(text) for text in fail_on]
    compared = compare.compare_sides(root, one, other, **how)
    judged = [gates.apply_gate(gate, compared.changes) for gate in asked]
    if as_json:
        print_json(terminal.build_comparison_document(compared, judged))
    elif as_markdown:
        print(markdown.format_comparison(compared, judged), end="")
    else:
        terminal.show_comparison(Console(), compared, judged)
    return choose_exit_code({each.outcome for each in judged})


def choose_exit_code(outcomes: Collection[gates.GateOutcome]) -> ExitCode:
    """Return the exit code for the outcomes of all gates: the worst of them, and fine without gates."""
    if "exceeded" in outcomes:
        return ExitCode.GATE
    return ExitCode.INCONCLUSIVE if "inconclusive" in outcomes else ExitCode.FINE
