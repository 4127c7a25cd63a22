"""The history of cells as one self-contained HTML file: the steps in words, then a chart and a table of each cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.comparison.history import History, TypeHistory
from orchestrator.report.history.sentences import describe_history, describe_skipped, describe_type
from orchestrator.report.page.chart_data import FilterNames
from orchestrator.report.page.charts import Chart, history
from orchestrator.report.page.page import MAX_LAID_OUT_GROUPS, list_page_parts, load_template
from schemas.job import Cell

TITLE: Final = "History"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One type of machine as the page shows it."""

    title: str
    sentences: Sequence[str]
    figures: Sequence[Chart]


def render_history_page(found: History) -> str:
    """Return the whole file. The same runs give the same file, to the byte."""
    cells = [cell for each in found.types for cell in each.cells]
    return load_template("history.html").render(
        title=TITLE,
        reading=history.READING,
        names=collect_names(cell.points[-1].cell for cell in cells),
        parts=[build_part(each, found.alpha) for each in found.types],
        skipped=describe_skipped(found),
        many=len(cells) > MAX_LAID_OUT_GROUPS,
        **list_page_parts({"history": history.SPEC}),
    )


def build_part(each: TypeHistory, alpha: float) -> Part:
    """Return one type of machine with the charts of its cells."""
    return Part(
        title=describe_type(each),
        sentences=describe_history(each, alpha),
        figures=[history.make_chart(cell) for cell in each.cells],
    )


def collect_names(cells: Iterable[Cell]) -> FilterNames:
    """Return the frameworks, workloads and tasks of these cells, by which the page is filtered."""
    every = [(cell.framework, cell.workload, cell.task) for cell in cells]
    columns = [{name: number for number, name in enumerate(dict.fromkeys(names))} for names in zip(*every, strict=True)]
    return FilterNames(*columns)
