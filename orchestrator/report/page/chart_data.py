"""The data of a chart as the page carries them: columns, packed where values repeat, and what a row stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.analysis.run import Run
from orchestrator.report.page.charts import Chart, ChartRow
from orchestrator.report.page.templates import to_printable_value

KINDS: Final = ("framework", "workload", "task")


@dataclass(frozen=True, slots=True)
class FilterNames:
    """Names that a page can be filtered by, each with its number, so that no name is ever quoted."""

    framework: Mapping[str, int]
    workload: Mapping[str, int]
    task: Mapping[str, int]

    def mark_row(self, row: ChartRow) -> dict[str, list[int]]:
        """Return what a row stands for, as numbers; no entry for a kind if the row stands for all of it."""
        said = {
            "framework": row.frameworks,
            "workload": optional_to_tuple(row.workload),
            "task": optional_to_tuple(row.task),
        }
        return {
            kind: [getattr(self, kind)[name] for name in dict.fromkeys(names)] for kind, names in said.items() if names
        }


def build_chart_data(figure: Chart, names: FilterNames, modes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the data of a chart. `modes` are all modes of its group: their places decide their colours."""
    marks, cells = (
        [names.mark_row(row) for row in figure.rows],
        [[to_printable_value(cell) for cell in row.cells] for row in figure.rows],
    )
    return {
        "kind": figure.kind,
        "modes": [[to_printable_value(mode), modes.index(mode)] for mode in figure.modes],
        "columns": {
            **{name: pack_column([row[place] for row in cells]) for place, name in enumerate(figure.columns)},
            **{kind: pack_column([tuple(each.get(kind, ())) for each in marks]) for kind in KINDS},
        },
    }


def pack_column(column: Sequence[Any]) -> list[Any] | dict[str, list[Any]]:
    """Return a column as it is or, if its values repeat, as a list of words and an index for each row."""
    words = {word: place for place, word in enumerate(dict.fromkeys(column))}
    # Words save space only if each occurs at least twice on average.
    if 2 * len(words) > len(column) or not column:
        return list(column)
    return {"words": list(words), "at": [words[word] for word in column]}


def collect_filter_names(run: Run) -> FilterNames:
    """Return the frameworks, workloads and tasks of a run, in the order of its cells."""
    cells = [*run.manifest.cells, *(process.cell for process in run.last_attempts)]
    every = [[getattr(cell, kind) for cell in cells] for kind in KINDS]
    return FilterNames(*({name: number for number, name in enumerate(dict.fromkeys(of_kind))} for of_kind in every))


def optional_to_tuple(name: str | None) -> tuple[str, ...]:
    """Return a tuple of one name, or of none."""
    return () if name is None else (name,)
