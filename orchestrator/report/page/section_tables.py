"""The tables of a computation that the page has beside its charts, with the rows that a terminal shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.analysis.agreement import compare_results
from orchestrator.analysis.results import Group
from orchestrator.report.page.charts import Table, make_row
from orchestrator.report.sections import accuracy, agreement, generation, growth, throughput


@dataclass(frozen=True, slots=True)
class TitledTable:
    """A table and its heading on the page."""

    title: str
    table: Table


def list_section_tables(group: Group, *, has_accuracy: bool) -> Iterator[TitledTable]:
    """Yield the tables of a group that have something to say; accuracy is a choice of the run."""
    if matrix := build_agreement_table(group):
        yield TitledTable(agreement.TITLE, matrix)
    for title, headings, rows in (
        (generation.TITLE, generation.list_headings(group), generation.list_rows(group)),
        (throughput.TITLE, throughput.HEADINGS, throughput.list_rows(group)),
        (growth.TITLE, growth.HEADINGS, growth.list_rows(group)),
        (accuracy.TITLE, accuracy.HEADINGS, accuracy.list_rows(group) if has_accuracy else ()),
    ):
        if made := tuple(make_row(cells, group.result(cells[0])) for cells in rows):
            yield TitledTable(title, Table(headings, made))


def build_agreement_table(group: Group) -> Table | None:
    """Return the matrix of differences between the results of a group; None where it would say nothing."""
    found = compare_results(group)
    if found is None:
        return None
    rows = (
        make_row((f"{number} {label}", *map(agreement.format_square, squares)), group.result(label))
        for number, (label, squares) in enumerate(agreement.list_rows(found), 1)
    )
    return Table(("mode", agreement.REFERENCE, *agreement.list_numbers(found)), tuple(rows))
