"""A comparison over nodes on a terminal: a table for each pair, and sentences. Fits 80 columns."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.nodes.comparison import NodeRatio, NodesComparison, NodesResult
from orchestrator.format import format_ratio_range, to_printable
from orchestrator.report.nodes.sentences import describe_nodes, format_spread
from orchestrator.report.tables import fold_verdict, format_ratio_with_interval, make_table, name_column, number_columns

NO_RATIO = "–"


def show_nodes(console: Console, result: NodesResult) -> None:
    """Print a table for each pair and for the A/A clone, and then sentences."""
    for table in build_node_tables(result):
        console.print(table)
        console.print()
    for sentence in describe_nodes(result):
        # Rich reads brackets in a plain string as markup.
        console.print(Text(f"• {sentence}"))


def build_node_tables(result: NodesResult) -> Iterator[Table]:
    """Yield the table by node of each pair, and of the A/A clone."""
    usual = result.without
    for place, found in enumerate(result.comparisons):
        yield build_node_table(result, found, usual.comparisons[place] if usual else None)
    if result.clone is not None:
        yield build_node_table(result, result.clone, usual.clone if usual else None)


def build_node_table(result: NodesResult, found: NodesComparison, without: NodesComparison | None) -> Table:
    """Return the table of one pair: each node, then these nodes, nodes of the type, and the same without odd nodes."""
    title = f"{found.on_nodes.cell} over {found.on_nodes.baseline}, by node of type {result.nodes.machine_type}"
    drawn = make_table(name_column("node"), *number_columns("blocks", "ratio"), "verdict", title=title, bold=True)
    odd = {each.name: each.ratio for each in result.odd}
    for row in found.nodes:
        drawn.add_row(*map(Text, format_node(row, odd.get(row.node))))
    drawn.add_section()
    for line in format_answers(found):
        drawn.add_row(*map(Text, line))
    if without is not None:
        drawn.add_section()
        drawn.add_row(Text(f"without {to_printable(', '.join(odd))}", style="dim"))
        for line in format_answers(without):
            drawn.add_row(*map(Text, line))
    return drawn


def format_node(row: NodeRatio, canary: float | None) -> tuple[str, ...]:
    """Return the row of one node: its name, with its canary if that is off, its blocks and its ratio."""
    name = to_printable(row.node) + (f"\n (canary {100 * (canary - 1):+.0f} %)" if canary is not None else "")
    return name, f"{row.blocks}", format_ratio_with_interval(row.ratio) if row.blocks else NO_RATIO, ""


def format_answers(found: NodesComparison) -> Iterator[tuple[str, ...]]:
    """Yield the rows below those of the nodes: these nodes, nodes of the type, their spread, and the next node."""
    yield format_answer("on these nodes", found.on_nodes)
    if found.on_type is not None:
        yield format_answer("on nodes of this type", found.on_type)
    if found.spread is not None:
        yield "spread between nodes", "", format_spread(found.spread), ""
    if found.following is not None:
        yield "next node", "", format_ratio_range(found.following, "–") or NO_RATIO, ""


def format_answer(name: str, found: Comparison) -> tuple[str, ...]:
    """Return the row of one answer, with the interval that decides."""
    ratio = format_ratio_with_interval(found.undisturbed or found.ratio)
    return name, f"{found.blocks}", ratio, fold_verdict(found.verdict)
