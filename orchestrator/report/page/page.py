"""A run as one self-contained HTML file: words first, then charts, each with its table."""

import base64
import functools
import hashlib
import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Template
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from orchestrator.analysis.axis import AxisTable
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.format import format_duration, to_printable
from orchestrator.records.sweep_settings import format_sweep_file
from orchestrator.report import axis, environments
from orchestrator.report.alarms import list_alarms
from orchestrator.report.machine import summarise_host
from orchestrator.report.nodes.sentences import describe_next_sweep, describe_nodes
from orchestrator.report.nodes.types import describe_run_turnarounds
from orchestrator.report.overview import build_overview
from orchestrator.report.page import reproduce, vega
from orchestrator.report.page.chart_data import build_chart_data, collect_filter_names
from orchestrator.report.page.charts import (
    Chart,
    ChartRow,
    Section,
    Spec,
    Table,
    cost,
    make_cell_row,
    make_section,
    memory,
    nodes,
    phases,
    ratios,
    roofline,
    samples,
    schedule,
    times,
    warmup,
)
from orchestrator.report.page.other_types import list_other_types
from orchestrator.report.page.section_tables import TitledTable, list_section_tables
from orchestrator.report.page.templates import open_templates, read_text
from orchestrator.report.repetition import is_said, split_shared_sentences
from orchestrator.report.sections import calls, price, throughput
from orchestrator.report.sentences import describe_skipped, list_deprecations, write_headline
from orchestrator.report.summary import summarise_groups

PACKAGE: Final = "orchestrator.report.page"
DISTRIBUTION: Final = "plumbline-ml"
# With more groups than this, each shows its first chart, and the others on request.
MAX_OPEN_GROUPS: Final = 4
# With more groups than this, each has its times alone, and with more jobs, their schedule is left out: a browser should
# open the page at once.
MAX_PICTURED_GROUPS: Final = 60
MAX_SCHEDULED_JOBS: Final = 5000
# With more groups than this, the browser skips the layout of those out of sight.
MAX_LAID_OUT_GROUPS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One group as the page shows it: a short name, and what the top of the page does not say."""

    title: str
    name: str
    lead: Sequence[str]
    sentences: Sequence[str]
    tables: Sequence[TitledTable]
    figures: Sequence[Chart]
    row: ChartRow
    modes: Sequence[str]


def render_page(run: Run) -> str:
    """Return the whole file. The same records give the same file, to the byte."""
    return load_template().render(collect_values(run), **list_page_parts(vega.SPECS))


def render_still_page(run: Run) -> str:
    """Return the file without scripts: all sentences and tables. It depends on no installed library and no version."""
    own = {"still": True, "version": "", "style": read_asset("page.css"), "hashes": "'none'"}
    return load_template().render(collect_values(run), **own)


def collect_values(run: Run) -> dict[str, Any]:
    """Return what the template of the page says about a run, by name."""
    groups, manifest = run.groups, run.manifest
    alarms = list_alarms(groups)
    answer = axis.summarise_axis(run.axis_tables) or summarise_groups(groups)
    answer += calls.describe_best_modes(groups, manifest.sweep.calls)
    shared, sentences = split_shared_sentences(() if is_brief(run) else groups, (*alarms, *answer))
    overview = build_overview(groups)
    return {
        "run": run.name,
        "manifest": manifest,
        "skipped": [*describe_skipped(run.skipped)],
        "names": collect_filter_names(run),
        "alarms": alarms,
        "answer": answer,
        "overview": overview if len(groups) > 1 else None,
        "mode_frameworks": {result.label: result.cell.framework for group in groups for result in group.results},
        "few": len(groups) <= MAX_OPEN_GROUPS,
        "many": len(groups) > MAX_LAID_OUT_GROUPS,
        "along": [(table.title, build_axis_table(table)) for table in run.axis_tables],
        "along_axis": run.axis_tables[0].axis if run.axis_tables else "",
        "along_notes": axis.write_axis_notes(run.axis_tables, run),
        "parts": [
            build_part(group, run, row.name, said, answer)
            for group, row, said in zip(groups, overview.rows, sentences or [[]] * len(groups), strict=True)
        ],
        "refused": [row for group in groups for row in list_unranked(group)],
        "cells": len(run.cells),
        "others": list_other_types(run, brief=is_brief(run)),
        "turnarounds": describe_run_turnarounds(run),
        "notes": [
            *shared,
            *describe_next_sweep(run),
            *throughput.describe_servers(run.groups),
            *list_deprecations(run.cells),
            *describe_brevity(run),
        ],
        "schedule": make_schedule(run),
        "machine": summarise_host(manifest.host),
        "environments": [*environments.summarise_environments(manifest.environments)],
        "host": Table(
            ("what", "value"), tuple(list_host_facts(manifest.host.model_dump(mode="json", exclude_none=True)))
        ),
        "command": reproduce.format_command(manifest),
        "asked": format_sweep_file(manifest),
    }


def list_page_parts(specs: Mapping[str, Spec]) -> dict[str, Any]:
    """Return what every page has: its version, style, scripts, and the specifications of its charts."""
    own = read_asset("page.js")
    return {
        "still": False,
        "version": read_version(),
        "style": read_asset("page.css"),
        "library": Markup(vega.bundle_vega()),  # noqa: S704 (an installed library, and no text of a record)
        "script": own,
        # The content security policy names these two scripts by hash, so that no other may run.
        "hashes": " ".join(hash_script(text) for text in (vega.bundle_vega(), own)),
        "specifications": vega.build_specifications(specs),
        "config": vega.CONFIG,
    }


def build_part(group: Group, run: Run, name: str, sentences: Sequence[str], said: Sequence[str]) -> Part:
    """Return one group with its charts and these sentences. `said` is at the top of the page and not repeated."""
    section = make_section(group, run)
    lead = [sentence for sentence in map(to_printable, write_headline(group)) if not is_said(sentence, said)]
    cells = [result.cell for result in group.results]
    return Part(
        title=group.title,
        name=name,
        lead=lead,
        sentences=[
            *(sentence for sentence in sentences if sentence not in lead),
            *(() if is_brief(run) else price.describe_group_prices(group, run)),
            *(describe_nodes(group.over_nodes) if group.over_nodes and not is_brief(run) else ()),
        ],
        tables=list(list_section_tables(group, has_accuracy=has_several_precisions(run))),
        figures=list(build_charts(section, run)),
        row=ChartRow(
            cells=(),
            frameworks=tuple(dict.fromkeys(cell.framework for cell in cells)),
            workload=cells[0].workload,
            task=cells[0].task,
        ),
        modes=section.modes,
    )


def read_version() -> str:
    """Return the version of this program; empty if it runs from a folder that is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return ""


def build_axis_table(table: AxisTable) -> Table:
    """Return the rows of one computation along an axis."""
    rows = (make_cell_row(axis.format_row(row), row.result.cell) for row in table.rows)
    return Table(tuple(axis.list_headings(table.axis, table.unit)), tuple(rows))


def has_several_precisions(run: Run) -> bool:
    """Return whether the accuracy of a run's cells is a choice of its user: its cells differ in precision."""
    return len({cell.precision for cell in run.manifest.cells}) > 1


def is_brief(run: Run) -> bool:
    """Return whether a page says of each computation no more than its times."""
    return len(run.groups) > MAX_PICTURED_GROUPS


def make_schedule(run: Run) -> Chart | None:
    """Return the chart of all jobs; None if none started, or there are too many."""
    few = len(run.last_attempts) <= MAX_SCHEDULED_JOBS
    return schedule.make_chart(run.last_attempts, run.canary_ns) if few else None


def describe_brevity(run: Run) -> Iterator[str]:
    """Yield what a page of a very large run leaves out, and how to see it."""
    if is_brief(run):
        again = f"python -m orchestrator report {run.name} --only TEXT --output FILE"
        yield f"Each of the {len(run.groups)} computations has its times alone. All pictures of some: {again}"


def build_charts(section: Section, run: Run) -> Iterator[Chart]:
    """Yield the charts of one group that have something to draw; of a very large run only its times."""
    yield times.make_chart(section)
    if is_brief(run):
        return
    for found in (
        *cost.make_charts(section),
        ratios.make_chart(section),
        nodes.make_chart(section),
        phases.make_chart(section),
        memory.make_chart(section),
        warmup.make_chart(section),
        roofline.make_chart(section),
        samples.make_chart(section, run.canary_ns),
    ):
        if found is not None:
            yield found


def list_host_facts(said: Mapping[str, Any], above: str = "") -> Iterator[ChartRow]:
    """Yield a row for each fact about a machine."""
    for name, value in said.items():
        if isinstance(value, Mapping):
            yield from list_host_facts(value, f"{above}{name} ")
        else:
            text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield ChartRow(cells=(f"{above}{name}".replace("_", " "), text))


def list_unranked(group: Group) -> Iterator[ChartRow]:
    """Yield the cells of a group that have no rank, each with its reason and its advice."""
    for each in group.results:
        if each.outcome != "measured":
            time = format_duration(each.floor_ns.estimate) if each.floor_ns.estimate > 0 else ""
            advice = f"{each.reason} → {each.advice}" if each.advice else each.reason
            yield make_cell_row((each.label, each.outcome or "not run", time, advice, group.title), each.cell)


def hash_script(script: str) -> str:
    """Return a script's hash as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@functools.cache
def read_asset(name: str) -> Markup:
    """Return a file of this package that goes into the page unescaped."""
    return Markup(read_text(PACKAGE, name))  # noqa: S704 - a file of this package, and no text of a record


@functools.cache
def load_template(name: str = "page.html", package: str = PACKAGE) -> Template:
    """Return a template of a page. It escapes all values except those marked as safe."""
    room = open_templates(package)
    # JSON within a script element must not be able to close that element.
    room.filters["data"] = lambda value: htmlsafe_json_dumps(value, separators=(",", ":"), ensure_ascii=False)
    room.globals["drawn"] = build_chart_data
    return room.get_template(name)
