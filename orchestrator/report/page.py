"""A run as one HTML file that needs nothing else: words first, then pictures, each with its table."""

import base64
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from orchestrator.analysis.disturbance import canary_floor_ns
from orchestrator.analysis.processes import processes
from orchestrator.analysis.results import Group
from orchestrator.attempts import in_turn, last_attempts
from orchestrator.report import again, drawing, making
from orchestrator.report.answer import answer
from orchestrator.report.health import summary
from orchestrator.report.pictures import (
    Figure,
    Row,
    Section,
    Table,
    Value,
    cost,
    memory,
    phases,
    ratios,
    roofline,
    samples,
    schedule,
    times,
    warmup,
)
from orchestrator.report.units import duration, printable
from orchestrator.report.words import compiled, deprecations, sentences
from schemas.record import JobRecord, Manifest

KINDS: Final = ("framework", "workload", "task")
FEW: Final = 4
"""Up to so many groups, the answer at the top also says what compiling did."""


MANY: Final = 20
"""From more groups on, those out of sight are not laid out."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a page can be filtered by, each name with its number, so that no name is ever quoted."""

    framework: Mapping[str, int]
    workload: Mapping[str, int]
    task: Mapping[str, int]

    def marks(self, row: Row) -> dict[str, list[int]]:
        """What a row stands for, as numbers; nothing where it stands for everything."""
        said = {"framework": row.frameworks, "workload": only(row.workload), "task": only(row.task)}
        return {
            kind: [getattr(self, kind)[name] for name in dict.fromkeys(names)] for kind, names in said.items() if names
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One group as the page shows it."""

    title: str
    answer: Sequence[str]
    more: Sequence[str]
    sentences: Sequence[str]
    figures: Sequence[Figure]
    row: Row
    modes: Sequence[str]


def page(run: str, manifest: Manifest, records: Sequence[JobRecord], groups: Sequence[Group]) -> str:
    """The whole file. The same records give the same file, to the byte."""
    records = in_turn(records)
    names, own, counted = named(manifest, records), asset("page.js"), last_attempts(records)
    canary_ns = canary_floor_ns(counted)
    found = processes(records)
    results = [result for group in groups for result in group.results]
    return template().render(
        run=run,
        manifest=manifest,
        names=names,
        few=len(groups) <= FEW,
        many=len(groups) > MANY,
        parts=[part(group, found, canary_ns) for group in groups],
        refused=[row for group in groups for row in refused(group)],
        cells=len(results),
        notes=deprecations(results),
        schedule=schedule.figure(counted, canary_ns),
        machine=summary(manifest.host),
        environments=[*making.summaries(manifest.environments)],
        host=Table(("what", "value"), tuple(facts(manifest.host.model_dump(mode="json", exclude_none=True)))),
        command=again.command(manifest),
        asked=again.sweep_file(manifest),
        style=asset("page.css"),
        library=Markup(drawing.script()),  # noqa: S704 (the library that this project installs, and no text of a record)
        script=own,
        hashes=" ".join(hash_of(text) for text in (drawing.script(), own)),
        specifications=drawing.specifications(),
        config=drawing.CONFIG,
    )


def part(group: Group, found: Mapping[str, Sequence[JobRecord]], canary_ns: float) -> Part:
    """One group with its pictures."""
    section = Section(group, {result.label: found.get(result.cell.id, ()) for result in group.results})
    cells = [result.cell for result in group.results]
    return Part(
        title=group.title,
        answer=list(answer(group)),
        more=list(compiled(group)),
        sentences=sentences(group),
        figures=list(figures(section, canary_ns)),
        row=Row(
            cells=(),
            frameworks=tuple(dict.fromkeys(cell.framework for cell in cells)),
            workload=cells[0].workload,
            task=cells[0].task,
        ),
        modes=section.modes,
    )


def figures(section: Section, canary_ns: float) -> Iterator[Figure]:
    """The pictures of one group, as far as there is something to draw."""
    yield times.figure(section)
    for found in (
        *cost.figures(section),
        ratios.figure(section),
        phases.figure(section),
        memory.figure(section),
        warmup.figure(section),
        roofline.figure(section),
        samples.figure(section, canary_ns),
    ):
        if found is not None:
            yield found


def data(figure: Figure, names: Names, modes: Sequence[str] = ()) -> dict[str, Any]:
    """What a picture is drawn from. `modes` are all of its group, whose places decide about colours."""
    marks, cells = (
        [names.marks(row) for row in figure.rows],
        [[shown(cell) for cell in row.cells] for row in figure.rows],
    )
    return {
        "kind": figure.kind,
        "modes": [[shown(mode), modes.index(mode)] for mode in figure.modes],
        "columns": {
            **{name: packed([row[place] for row in cells]) for place, name in enumerate(figure.columns)},
            **{kind: packed([tuple(each.get(kind, ())) for each in marks]) for kind in KINDS},
        },
    }


def packed(column: Sequence[Any]) -> list[Any] | dict[str, list[Any]]:
    """A column as it is, or where it says the same again and again, its words and which of them each row has."""
    words = {word: place for place, word in enumerate(dict.fromkeys(column))}
    if 2 * len(words) > len(column) or not column:
        return list(column)
    return {"words": list(words), "at": [words[word] for word in column]}


def shown(value: Value) -> Value:
    """What comes from a record is text to look at, and nothing that a reader's machine would obey."""
    return printable(value) if isinstance(value, str) else value


def named(manifest: Manifest, records: Sequence[JobRecord]) -> Names:
    """The frameworks, workloads and tasks of a run, in the order of its cells."""
    cells = [*manifest.cells, *(record.spec.cell for record in records)]
    every = [[getattr(cell, kind) for cell in cells] for kind in KINDS]
    return Names(*({name: number for number, name in enumerate(dict.fromkeys(of_kind))} for of_kind in every))


def only(name: str | None) -> tuple[str, ...]:
    """One name, or none."""
    return () if name is None else (name,)


def facts(said: Mapping[str, Any], above: str = "") -> Iterator[Row]:
    """What is known of a machine, one line each."""
    for name, value in said.items():
        if isinstance(value, Mapping):
            yield from facts(value, f"{above}{name} ")
        else:
            text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield Row(cells=(f"{above}{name}".replace("_", " "), text))


def refused(group: Group) -> Iterator[Row]:
    """The cells of a group that have no rank, each with its reason and what to do."""
    for each in group.results:
        if each.outcome != "measured":
            time = duration(each.floor_ns.estimate) if each.floor_ns.estimate > 0 else ""
            advice = f"{each.reason} → {each.advice}" if each.advice else each.reason
            yield Row(
                cells=(each.label, each.outcome or "not run", time, advice, group.title),
                frameworks=(each.cell.framework,),
                workload=each.cell.workload,
                task=each.cell.task,
            )


def hash_of(script: str) -> str:
    """A script's hash as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@functools.cache
def asset(name: str) -> Markup:
    """A file of ours that goes into the page as it is."""
    path = resources.files("orchestrator.report").joinpath("assets", name)
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704 - ours, and not a record's


@functools.cache
def template() -> Template:
    """The frame of the page. Whatever is put into it is escaped, unless it is marked as ours."""
    room = Environment(
        loader=PackageLoader("orchestrator.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else shown(value),
    )
    room.filters["data"] = lambda value: htmlsafe_json_dumps(value, separators=(",", ":"), ensure_ascii=False)
    room.globals["drawn"] = data
    return room.get_template("page.html")
