"""A comparison over nodes on a terminal: a table for each pair, and sentences. Fits 80 columns."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.nodes.comparison import NodesComparison, NodesResult
from orchestrator.format import to_printable
from orchestrator.report.nodes.rows import HEADINGS, NodeRow, list_answers, list_nodes, name_pair
from orchestrator.report.nodes.sentences import describe_nodes
from orchestrator.report.tables import fold_verdict, make_table, name_column, number_columns


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
    name, *numbers, verdict = HEADINGS
    title = name_pair(result, found)
    drawn = make_table(name_column(name), *number_columns(*numbers), verdict, title=title, bold=True)
    for row in list_nodes(result, found):
        drawn.add_row(*map(Text, format_row(row)))
    drawn.add_section()
    for row in list_answers(found):
        drawn.add_row(*map(Text, format_row(row)))
    if without is not None:
        names = to_printable(", ".join(each.name for each in result.odd))
        drawn.add_section()
        drawn.add_row(Text(f"without {names}", style="dim"))
        for row in list_answers(without):
            drawn.add_row(*map(Text, format_row(row)))
    return drawn


def format_row(row: NodeRow) -> tuple[str, ...]:
    """Return the cells of one row; a node whose canary is off has it on a second line."""
    name = f"{row.name}\n {row.note}" if row.note else row.name
    return name, row.blocks, row.text, fold_verdict(row.verdict)
