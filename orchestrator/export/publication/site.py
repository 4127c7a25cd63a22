"""Static pages of admitted publications: one for each computation and type of machine, and an index.

The same publications give the same bytes. No figure is averaged over runs or types of machines: each is that of the
newest run, and the others are counted.
"""

import contextlib
import dataclasses
import hashlib
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
from orchestrator.export.publication.conclusion import describe_file, read_start
from orchestrator.export.publication.contents import DESCRIPTION, Contents, Refusal, read_contents
from orchestrator.files.atomic import open_regular
from orchestrator.files.folders import exchange_folders, make_folder_beside, write_contents
from orchestrator.format import format_duration, format_rank, format_ratio, format_ratio_range
from orchestrator.records.store import COMPRESSED, JOBS, MANIFEST, PAGE, job_name
from orchestrator.report.page.page import load_template, read_asset
from orchestrator.report.page.reproduce import format_command
from schemas.publication import Publication, PublishedFile

PACKAGE: Final = "orchestrator.export.publication"
INDEX: Final = "index.html"
FILES_FOLDER: Final = "runs"
# The index of every site has this mark. A folder without it may hold anything, such as publications.
MARK: Final = b'<meta name="generator" content="Plumbline site">'
# The mark is within so many bytes from the beginning.
MARK_BYTES: Final = 4096
# A page's name is short enough for every file system. Titles may be longer, so a hash of the whole title follows.
MAX_SLUG: Final = 80
TITLE_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The part of one publication that the pages need, without its files and its records.

    `path` is where it lies, and `name` that of its folder. `files` are what was admitted, the description included.
    `records` are the names of the records by the id of their cell.
    """

    path: Path
    name: str
    publication: Publication
    files: Mapping[str, PublishedFile]
    groups: Sequence[Group]
    clone: str
    command: str
    records: Mapping[str, Sequence[str]]

    @property
    def folder(self) -> str:
        """Return the folder of the publication within the site."""
        return f"{FILES_FOLDER}/{self.publication.machine}/{self.name}"

    @property
    def day(self) -> date:
        """Return the day in UTC on which the run began."""
        return read_start(self.publication).astimezone(UTC).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One computation in one publication."""

    source: Source
    group: Group


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
        title = hashlib.sha256(self.title.encode()).hexdigest()[:TITLE_DIGITS]
        code = self.newest.group.results[0].cell.code
        return f"{self.machine}/{slug}-{title}{f'-{code}' if code else ''}.html"


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


def summarise_publication(path: Path, admitted: Admitted) -> Source:
    """Return what the pages need of a publication that was admitted from this folder."""
    publication, records = admitted.publication, defaultdict[str, list[str]](list)
    for record in admitted.run.records:
        records[record.spec.cell.id].append(f"{job_name(record.spec)}{COMPRESSED}")
    return Source(
        path=path,
        name=admitted.contents.name,
        publication=publication.model_copy(update={"files": {}}),
        files={**publication.files, DESCRIPTION: describe_file(admitted.contents.read_bytes(DESCRIPTION))},
        # Curves hold what was derived of every process, and no page shows them.
        groups=[dataclasses.replace(group, curves={}) for group in admitted.run.groups],
        clone=describe_clone(admitted.run.groups),
        command=format_command(admitted.run.manifest),
        records=records,
    )


def build_pages(sources: Sequence[Source], counted: date | None) -> dict[str, bytes]:
    """Return the pages of the site by path. Ages are counted from a day, or else from that of the newest run.

    Raises:
        UsageError: that day is before the newest run, or two publications or computations have one place in the site.
    """
    check_distinct("publications", [(source.folder, str(source.path)) for source in sources])
    entries = collect_entries(sources)
    check_distinct("computations", [(entry.path, entry.title) for entry in entries])
    newest = max(entry.newest.source.day for entry in entries)
    day = counted or newest
    if day < newest:
        raise UsageError(f"--date {day} is before the newest run, of {newest}; choose a later day, or leave it out")
    files = {INDEX: render_template(INDEX, entries=entries, day=day, ages=count_ages(entries, day), up="")}
    for entry in entries:
        files[entry.path] = render_template(
            "computation.html",
            entry=entry,
            day=day,
            age=describe_age(entry.newest.source.day, day),
            ages=[describe_age(run.source.day, day) for run in entry.runs],
            rows=[*build_rows(entry)],
            up="../",
            page=PAGE,
            manifest=MANIFEST,
            description=DESCRIPTION,
            records=[*list_record_links(entry.newest)],
        )
    return dict(sorted(files.items()))


def check_distinct(what: str, places: Sequence[tuple[str, str]]) -> None:
    """Check that no two things have one place in the site, where one would replace the other.

    Raises:
        UsageError: two have.
    """
    known = dict[str, str]()
    for place, name in places:
        if place in known:
            raise UsageError(f"two {what} have the place {place} in the site: {known[place]} and {name}; remove one")
        known[place] = name


def render_template(name: str, **values: object) -> bytes:
    """Return a page made of a template."""
    return load_template(name, PACKAGE).render(values, style=read_asset("page.css")).encode()


def collect_entries(sources: Sequence[Source]) -> list[Entry]:
    """Return the computations on each type of machine, in the order of their titles."""
    found: defaultdict[tuple[str, str, str], list[Measured]] = defaultdict(list)
    for source in sources:
        for group in source.groups:
            # Two workloads of users may have one name.
            key = (group.title, group.results[0].cell.code, source.publication.machine)
            found[key].append(Measured(source=source, group=group))
    return [
        Entry(
            title=title,
            machine=machine,
            machine_label=runs[0].source.publication.machine_type.label,
            runs=sorted(runs, key=lambda run: (read_start(run.source.publication), run.source.folder), reverse=True),
        )
        for (title, _, machine), runs in sorted(found.items())
    ]


def count_ages(entries: Sequence[Entry], day: date) -> dict[str, str]:
    """Return the age of the newest run of each entry, by the path of its page."""
    return {entry.path: describe_age(entry.newest.source.day, day) for entry in entries}


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
    source = measured.source
    for name in sorted(name for result in measured.group.results for name in source.records.get(result.cell.id, ())):
        yield name, f"{source.folder}/{JOBS}/{name}"


def write_site(to: Path, sources: Sequence[Source], counted: date | None) -> None:
    """Put the site of these publications in the place of an earlier one, completely or not at all.

    Raises:
        UsageError: something else is there, the folder cannot be written to, or a publication has changed.
    """
    pages = build_pages(sources, counted)
    with replace_site(to) as made:
        write_contents(made, pages)
        for source in sources:
            write_contents(made.joinpath(source.folder), read_again(source).files)


def read_again(source: Source) -> Contents:
    """Return the files of a publication, which must be those that were admitted.

    Raises:
        UsageError: they are not.
    """
    try:
        found = read_contents(source.path)
    except Refusal as refusal:
        raise UsageError(f"{source.path} has changed since it was admitted: {refusal}") from refusal
    if {name: describe_file(content) for name, content in found.files.items()} != source.files:
        raise UsageError(f"{source.path} has changed since it was admitted; make the site again")
    return found


@contextlib.contextmanager
def replace_site(to: Path) -> Iterator[Path]:
    """Yield a new folder, and at the end put it in the place of a site, completely or not at all.

    Raises:
        UsageError: something else is there, or the folder cannot be written to.
    """
    check_replaceable(to)
    target = to.absolute()
    with make_folder_beside(target) as (made, replaced):
        yield made
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
