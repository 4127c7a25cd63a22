"""A comparison of two runs as Markdown, for a comment on a pull request."""

from collections.abc import Iterator, Sequence

from orchestrator.comparison.changes import Change
from orchestrator.comparison.compare import Compared
from orchestrator.comparison.gates import GateResult
from orchestrator.format import format_duration
from orchestrator.records.labels import format_title
from orchestrator.report.comparison.sentences import describe_basis, describe_comparison
from orchestrator.report.comparison.terminal import NO_VERDICT, format_footprint_ratio, format_time_ratios
from orchestrator.report.markdown import format_markdown_list, format_markdown_quote, format_markdown_table

HEADINGS = ("mode", "computation", "A", "B", "B over A (95 % interval)", "memory", "verdict")


def format_comparison(compared: Compared, judged: Sequence[GateResult]) -> str:
    """Return the outcome of the gates, warnings, one table, and the sentences."""
    return (
        "\n\n".join(
            [
                f"### Plumbline: B {describe_gates(judged)}",
                format_markdown_quote(describe_basis(compared)),
                format_markdown_table(HEADINGS, format_change_rows(compared.changes)),
                format_markdown_list(describe_comparison(compared, judged)),
            ]
        )
        + "\n"
    )


def describe_gates(judged: Sequence[GateResult]) -> str:
    """Return the outcome of all gates in a few words."""
    failed, unjudged = (
        ", ".join(each.gate.text for each in judged if each.outcome == outcome)
        for outcome in ("exceeded", "inconclusive")
    )
    if failed:
        return f"exceeds {failed}"
    if unjudged:
        return f"compared; {unjudged} inconclusive"
    return "within its gates" if judged else "compared"


def format_change_rows(changes: Sequence[Change]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each cell."""
    for change in changes:
        times = (format_duration(each.floor_ns.estimate) for each in (change.before, change.after))
        shown = ("; ".join(format_time_ratios(change)), format_footprint_ratio(change), change.verdict or NO_VERDICT)
        yield (change.cell.label, format_title(change.cell), *times, *shown)
