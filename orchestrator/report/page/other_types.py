"""The results of a run on the types of machine that the rest of its page is not about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.run import Run
from orchestrator.format import to_printable
from orchestrator.report.page.charts import Table, make_section, nodes, ratios, times
from orchestrator.report.summary import summarise_groups


@dataclass(frozen=True, slots=True)
class OtherType:
    """The results on another type of machine: the answer, and the tables of its computations by their titles."""

    machine: str
    answer: Sequence[str]
    tables: Mapping[str, Table]


def list_other_types(run: Run, *, brief: bool) -> list[OtherType]:
    """List the other types of machine, each with its times and, unless `brief`, its ratios, also by node."""
    return [
        OtherType(to_printable(other.machine_type.label), summarise_groups(other.groups), collect_tables(other, brief))
        for other in run.others
    ]


def collect_tables(run: Run, brief: bool) -> dict[str, Table]:
    """Return the tables of all computations of a run by their titles."""
    charts = (times,) if brief else (times, ratios, nodes)
    tables = {}
    for section in (make_section(group, run) for group in run.groups):
        for chart in charts:
            if (found := chart.make_chart(section)) is not None:
                tables[f"{found.title}: {section.group.title}"] = found.table
    return tables
