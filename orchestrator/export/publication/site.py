"""Static pages of admitted publications: one for each computation and type of machine, and an index.

The same publications give the same bytes. No figure is averaged over runs or types of machines: each is that of the
newest run, and the others are counted.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path
from typing import Final

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.results import Group
from orchestrator.errors import UsageError
from orchestrator.export.publication.admit import TYPE_FOLDER, Admitted
from orchestrator.export.publication.conclusion import read_start
from orchestrator.export.publication.contents import DESCRIPTION
from orchestrator.files.atomic import open_regular
from orchestrator.files.folders import exchange_folders, make_folder_beside, write_contents
from orchestrator.format import format_duration, format_rank, format_ratio, format_ratio_range
from orchestrator.records.store import JOBS, MANIFEST, PAGE
from orchestrator.report.page.page import load_template, read_asset
from orchestrator.report.page.reproduce import format_command

PACKAGE: Final = "orchestrator.export.publication"
INDEX: Final = "index.html"
FILES_FOLDER: Final = "runs"
# The index of every site has this mark. A folder without it may hold anything, such as publications.
MARK: Final = b'<meta name="generator" content="Plumbline site">'
# The mark is within so many bytes from the beginning.
MARK_BYTES: Final = 4096
# A page's name is short enough for every file system.
MAX_SLUG: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One computation in one publication."""

    source: Admitted
    group: Group

    @property
    def day(self) -> date:
        """Return the day in UTC on which the run began."""
        return read_start(self.source.publication).astimezone(UTC).date()

    @property
    def folder(self) -> str:
        """Return the folder of the publication within the site."""
        return f"{FILES_FOLDER}/{self.source.publication.machine}/{self.source.contents.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One computation on one type of machine, in all runs that measured it, the newest first."""

    title: str
    machine: str
    machine_label: str
    runs: Sequence[Measured]

    @property
    def newest(self) -> Measured:
        """Return the newest run."""
        return self.runs[0]

    @property
    def path(self) -> str:
        """Return the path of the entry's page within the site."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")[:MAX_SLUG].strip("-")
        code = self.newest.group.results[0].cell.code
        return f"{self.machine}/{slug}{f'-{code}' if code else ''}.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One mode in the newest run, and what other runs said about it."""

    label: str
    outcome: str
    rank: str
    time: str
    ratio: str
    verdict: str
    agreement: str


def build_site(admitted: Sequence[Admitted], counted: date | None) -> dict[str, bytes]:
    """Return all files of the site by path. Ages are counted from a day, or else from that of the newest run.

    Raises:
        UsageError: that day is before the newest run.
    """
    entries = collect_entries(admitted)
    newest = max(entry.newest.day for entry in entries)
    day = counted or newest
    if day < newest:
        raise UsageError(f"--date {day} is before the newest run, of {newest}; choose a later day, or leave it out")
    files = {INDEX: render_template(INDEX, entries=entries, day=day, ages=count_ages(entries, day), up="")}
    for entry in entries:
        files[entry.path] = render_template(
            "computation.html",
            entry=entry,
            day=day,
            age=describe_age(entry.newest.day, day),
            ages=[describe_age(run.day, day) for run in entry.runs],
            rows=[*build_rows(entry)],
            clones=[describe_clone(run.source.run.groups) for run in entry.runs],
            command=format_command(entry.newest.source.run.manifest),
            up="../",
            page=PAGE,
            manifest=MANIFEST,
            description=DESCRIPTION,
            records=[*list_record_links(entry.newest)],
        )
    for each in admitted:
        folder = f"{FILES_FOLDER}/{each.publication.machine}/{each.contents.name}"
        files |= {f"{folder}/{name}": content for name, content in each.contents.files.items()}
    return dict(sorted(files.items()))


def render_template(name: str, **values: object) -> bytes:
    """Return a page made of a template."""
    return load_template(name, PACKAGE).render(values, style=read_asset("page.css")).encode()


def collect_entries(admitted: Sequence[Admitted]) -> list[Entry]:
    """Return the computations on each type of machine, in the order of their titles."""
    found: defaultdict[tuple[str, str, str], list[Measured]] = defaultdict(list)
    for source in admitted:
        for group in source.run.groups:
            # Two workloads of users may have one name.
            key = (group.title, group.results[0].cell.code, source.publication.machine)
            found[key].append(Measured(source=source, group=group))
    return [
        Entry(
            title=title,
            machine=machine,
            machine_label=runs[0].source.publication.machine_type.label,
            runs=sorted(runs, key=lambda run: (read_start(run.source.publication), run.folder), reverse=True),
        )
        for (title, _, machine), runs in sorted(found.items())
    ]


def count_ages(entries: Sequence[Entry], day: date) -> dict[str, str]:
    """Return the age of the newest run of each entry, by the path of its page."""
    return {entry.path: describe_age(entry.newest.day, day) for entry in entries}


def describe_age(then: date, day: date) -> str:
    """Return an age in days."""
    days = (day - then).days
    return f"{days} day{'' if days == 1 else 's'}"


def build_rows(entry: Entry) -> Iterator[Row]:
    """Yield the modes of the newest run, by rank, each with the agreement of all runs."""
    group = entry.newest.group
    for result, standing, comparison in group.rows:
        is_baseline, is_measured = result.label == group.baseline, result.outcome == "measured"
        compared = comparison if is_measured and not is_baseline else None
        yield Row(
            label=result.label,
            outcome=result.outcome or "not run",
            rank=format_rank(standing.best, standing.worst) if standing else "",
            time=format_duration(result.floor_ns.estimate) if is_measured else "",
            ratio=format_comparison(compared) if compared else "",
            verdict=str(compared.verdict) if compared else "",
            agreement="" if is_baseline or result.cell.replica else describe_agreement(entry, result.label),
        )


def format_comparison(found: Comparison) -> str:
    """Return a ratio with its interval, with room for disturbances."""
    interval = found.undisturbed or found.ratio
    ends = format_ratio_range(interval)
    return f"{format_ratio(interval.estimate)} ({ends})" if ends else format_ratio(interval.estimate)


def describe_agreement(entry: Entry, label: str) -> str:
    """Describe how many runs said what about a mode and the baseline of the newest run."""
    baseline = entry.newest.group.baseline
    said = Counter(
        str(found.verdict) for run in entry.runs if (found := run.group.pairs.get((baseline, label))) is not None
    )
    if not said:
        return ""
    total = said.total()
    parts = ", ".join(
        f"{count} {verdict}" for verdict, count in sorted(said.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"{parts} of {total} run{'s' if total > 1 else ''}"


def describe_clone(groups: Sequence[Group]) -> str:
    """Describe what a run said about its clone, which is of one computation for all."""
    clone = next((group.clone for group in groups if group.clone is not None), None)
    return "not measured" if clone is None else f"{clone.baseline}: {clone.verdict}, {format_comparison(clone)}"


def list_record_links(measured: Measured) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of each record of a run that is of this computation."""
    ids = {result.cell.id for result in measured.group.results}
    for name in measured.source.contents.record_names:
        if any(cell in name for cell in ids):
            yield name.removeprefix(f"{JOBS}/"), f"{measured.folder}/{name}"


def write_site(to: Path, files: Mapping[str, bytes]) -> None:
    """Put the site in the place of an earlier one, completely or not at all.

    Raises:
        UsageError: something else is there, or the folder cannot be written to.
    """
    check_replaceable(to)
    target = to.absolute()
    with make_folder_beside(target) as (made, replaced):
        write_contents(made, files)
        try:
            if target.exists() and not any(target.iterdir()):
                target.rmdir()
            exchange_folders(made, target, replaced)
        except OSError as error:
            raise UsageError(f"cannot write {to}: {error.strerror}; choose another folder with --to") from error


def check_apart(to: Path, results: Path) -> None:
    """Check that a site has no folder in common with the publications that it is made of.

    Raises:
        UsageError: one of the folders is the other, or lies in it.
    """
    site, found = to.resolve(), results.resolve()
    if site.is_relative_to(found) or found.is_relative_to(site):
        raise UsageError(f"--to {to} would replace publications in {results}; choose a folder beside it, such as site")


def check_replaceable(to: Path) -> None:
    """Check that a folder is absent, or has nothing but a site.

    Raises:
        UsageError: it has something else, which would be lost.
    """
    if to.is_symlink() or (to.exists() and not to.is_dir()):
        raise UsageError(f"{to} is there and is no folder; choose another one with --to")
    if not to.is_dir() or not any(to.iterdir()):
        return
    others = [path.name for path in to.iterdir() if not is_of_site(path)]
    if others:
        raise UsageError(f"{to} holds {min(others)!r}, which no site has; choose another folder with --to")
    if not has_mark(to.joinpath(INDEX)):
        raise UsageError(f"{to} is no site that this command has made; choose another folder with --to")


def has_mark(index: Path) -> bool:
    """Return whether a file is the index of a site."""
    try:
        with open_regular(index) as file:
            return MARK in file.read(MARK_BYTES)
    except OSError:
        return False


def is_of_site(path: Path) -> bool:
    """Return whether a site may have an entry of this name."""
    return path.name in (INDEX, FILES_FOLDER) or TYPE_FOLDER.fullmatch(path.name) is not None
