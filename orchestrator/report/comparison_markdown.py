"""A comparison of two runs as Markdown, for a comment on a pull request."""

from collections.abc import Iterator, Sequence

from orchestrator.analysis.naming import title
from orchestrator.analysis.runs import Change
from orchestrator.comparing import Compared
from orchestrator.gates import Judged
from orchestrator.report.comparison import NO_VERDICT, footprint, ratios
from orchestrator.report.comparison_words import basis, sentences
from orchestrator.report.markdown import listing, quote, table
from orchestrator.report.units import duration

HEADINGS = ("mode", "computation", "A", "B", "B over A (95 % interval)", "memory", "verdict")


def markdown(compared: Compared, judged: Sequence[Judged]) -> str:
    """Return the outcome of the gates, warnings, one table, and the sentences."""
    failed = [each.gate.said for each in judged if each.beyond]
    state = f"exceeds {', '.join(failed)}" if failed else "within its gates" if judged else "compared"
    return (
        "\n\n".join(
            [
                f"### Plumbline: B {state}",
                quote(basis(compared)),
                table(HEADINGS, rows(compared.changes)),
                listing(sentences(compared, judged)),
            ]
        )
        + "\n"
    )


def rows(changes: Sequence[Change]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each cell."""
    for change in changes:
        times = (duration(each.floor_ns.estimate) for each in (change.before, change.after))
        shown = ("; ".join(ratios(change)), footprint(change), change.verdict or NO_VERDICT)
        yield (change.cell.label, title(change.cell), *times, *shown)
