"""The accuracy of each mode: as a table, and as data."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from orchestrator.analysis.accuracy import Accuracy
from orchestrator.analysis.results import Group
from orchestrator.format import fold_label
from orchestrator.report.tables import make_table, name_column, number_columns

TITLE = "Accuracy against float64"
HEADINGS = ("mode", "largest error", "tolerance", "equal arg-max")


def build_tables(group: Group) -> Iterator[Table]:
    """Yield the table of one group; none if nothing was compared with a reference."""
    rows = [*list_rows(group)]
    if not rows:
        return
    name, *numbers = HEADINGS
    drawn = make_table(name_column(name), *number_columns(*numbers), title=TITLE)
    for label, *cells in rows:
        drawn.add_row(Text(fold_label(label)), *cells)
    yield drawn


def list_rows(group: Group) -> Iterator[tuple[str, str, str, str]]:
    """Yield each cell with its largest error, the tolerance of that tensor, and its share of equal arg-max.

    A wrong cell is among them: its error says how wrong it is.
    """
    for result in group.results:
        found = result.accuracy
        if found is not None and not result.cell.replica:
            yield result.label, f"{found.error:.1e}", f"{found.tolerance:.1e}", format_equal_argmax(found)


def format_equal_argmax(accuracy: Accuracy | None) -> str:
    """Return the share of rows with equal arg-max: `98.4 %`; a dash if no output has rows."""
    if accuracy is None or accuracy.equal_argmax is None:
        return "–"
    share = 100 * accuracy.equal_argmax
    # A share that is not whole must not look like one.
    return "100 %" if share == 100 else f"{min(share, 99.99):.2f} %" if share > 99.9 else f"{share:.1f} %"


def accuracy_to_dict(accuracy: Accuracy | None) -> dict[str, float | None] | None:
    """Return the accuracy of a cell as data; None if nothing was compared."""
    if accuracy is None:
        return None
    return {"largest_error": accuracy.error, "tolerance": accuracy.tolerance, "equal_argmax": accuracy.equal_argmax}
