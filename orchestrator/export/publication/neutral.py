"""Runs without the names of people, machines and places. Their analysis gives the same results. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from orchestrator.errors import UsageError
from orchestrator.export.publication.disclosure import (
    PUBLIC_VARIABLES,
    VARIABLE_NAME,
    WITHHELD,
    compile_names,
    map_texts,
    replace_disclosures,
)
from orchestrator.records.labels import label_cells
from orchestrator.records.nodes import list_nodes
from orchestrator.records.provenance import make_identity
from orchestrator.records.timestamps import parse_timestamp
from schemas.base import Model
from schemas.event import Report, Setting
from schemas.job import Cell, JobSpec
from schemas.record import Host, Identity, JobRecord, Manifest, Placement

M = TypeVar("M", bound=Model)

# Options of a command that say where a run is measured, kept or shown, and nothing about its measurement.
LOCAL_OPTIONS: Final = {
    "--runs": 1,
    "--on": 1,
    "--nodes": 1,
    "--json": 0,
    "--wait": 0,
    "--details": 0,
    "--no-report": 0,
    "--report": 0,
}
# Arguments without a path, a file or a quotation.
PLAIN_ARGUMENT: Final = re.compile(r"[A-Za-z0-9_.,:=+%-]+")
REPEAT_COMMAND: Final = ("sweep", "sweep.toml")
NAME: Final = "removed-name"
REMOVED: Final = "removed-path"
REST_OF_PATH: Final = r"(?:/[^\s'\"`:;,|<>()\[\]{}]*)?"
INTERPRETER: Final = "python"
CODE_FOLDER: Final = "code"


@dataclass(frozen=True, slots=True)
class Neutraliser:
    """The neutral words for one run: known places have names, personal names and all other places are removed."""

    places: Sequence[tuple[str, str]]
    names: re.Pattern[str] | None
    labels: Mapping[str, str]
    nodes: Mapping[str, str] = field(default_factory=dict)

    def neutralise_text(self, text: str) -> str:
        """Return a text of the run without paths, addresses, tokens and personal names."""
        # A place that is removed comes later: within quotation marks, a path may go on after a space.
        for place, word in self.places:
            if word != REMOVED:
                text = re.sub(rf"{re.escape(place)}(?![\w.-])", word, text)
        text = replace_disclosures(text)
        for place, word in self.places:
            if word == REMOVED:
                text = re.sub(rf"{re.escape(place)}(?![\w.-]){REST_OF_PATH}", word, text)
        return self.names.sub(NAME, text) if self.names else text

    def neutralise_model(self, model: M) -> M:
        """Return a document of the run with all its texts neutralised."""
        changed = map_texts(model.model_dump(mode="json"), self.neutralise_text)
        return type(model).model_validate(changed)

    def neutralise_manifest(self, manifest: Manifest) -> Manifest:
        """Return the manifest to publish.

        Raises:
            UsageError: a time in it cannot be read, or it does not name the code that measured.
        """
        if manifest.identity is None:
            raise UsageError(f"{manifest.name} does not name the code that measured it; measure it again")
        sweep = manifest.sweep
        environments = {
            name: spec.model_copy(update={"variables": withhold_variables(spec.variables)})
            for name, spec in sweep.environments.items()
        }
        plain = manifest.model_copy(
            update={
                "host": withhold_host(manifest.host),
                "sweep": sweep.model_copy(update={"environments": environments, "cluster": None}),
                "environments": {
                    name: each.model_copy(update={"interpreter": INTERPRETER})
                    for name, each in manifest.environments.items()
                },
                "started": format_utc(manifest.started, "seconds"),
                "command": REPEAT_COMMAND if is_of_user(manifest) else shorten_command(manifest.command),
                "extensions": tuple(
                    each.model_copy(update={"when": format_utc(each.when, "seconds")}) for each in manifest.extensions
                ),
            }
        )
        found = self.neutralise_model(plain)
        baseline = None if sweep.baseline is None else self.labels.get(sweep.baseline, found.sweep.baseline)
        found = found.model_copy(update={"sweep": found.sweep.model_copy(update={"baseline": baseline})})
        hashed = make_identity(found.original_sweep, found.seed, found.cells).sweep
        return found.model_copy(update={"identity": Identity(sweep=hashed, code=manifest.identity.code)})

    def neutralise_record(self, record: JobRecord) -> JobRecord:
        """Return a record to publish.

        Raises:
            UsageError: its start is not a time.
        """
        outside, result = record.outside, record.result
        if outside is not None:
            outside = outside.model_copy(update={"started": format_utc(outside.started, "milliseconds")})
        plain = record.model_copy(
            update={
                "host": withhold_host(record.host),
                "outside": outside,
                "spec": shorten_spec(record.spec),
                "result": withhold_report(result) if isinstance(result, Report) else result,
                "placement": self._neutralise_placement(record.placement),
            }
        )
        return self.neutralise_model(plain)

    def _neutralise_placement(self, placement: Placement | None) -> Placement | None:
        return placement and placement.model_copy(update={"node": self.nodes[placement.node]})


def make_neutraliser(manifest: Manifest, records: Sequence[JobRecord], names: Sequence[str]) -> Neutraliser:
    """Find the places that a run names, and return the neutral words for them.

    `names` are those of the user and the machine that publish, and other places of theirs.
    """
    words = name_places(manifest, records) | {name: REMOVED for name in names if name.startswith("/") and len(name) > 1}
    # A place within another one comes first.
    known = sorted(words.items(), key=lambda item: (-len(item[0]), item[0]))
    plain = [name for name in names if not name.startswith("/")]
    made = Neutraliser(known, compile_names(plain), {})
    before, after = label_cells(manifest.cells), [made.neutralise_model(cell) for cell in manifest.cells]
    named = label_cells(after)
    labels = {before[old.id]: named[new.id] for old, new in zip(manifest.cells, after, strict=True)}
    nodes = {name: name_node(number) for number, name in enumerate(list_nodes(records), 1)}
    return Neutraliser(known, made.names, labels, nodes)


def name_places(manifest: Manifest, records: Iterable[JobRecord]) -> dict[str, str]:
    """Return the neutral words for the folders of workloads and the interpreters of a run, by their paths."""
    words = dict[str, str]()
    for record in records:
        if record.spec.source_dir:
            words.setdefault(record.spec.source_dir, name_code_folder(record.spec.cell))
    places = [name for name in list_environments(manifest) if "/" in name or "\\" in name]
    return words | {place: f"environment-{number}" for number, place in enumerate(places, 1)}


def name_node(number: int) -> str:
    """Return what a publication calls a node."""
    return f"node {number}"


def is_of_user(manifest: Manifest) -> bool:
    """Return whether a run measures code of its user."""
    return any(cell.code for cell in manifest.cells)


def list_environments(manifest: Manifest) -> list[str]:
    """Return the names of all environments of a run, in the order of its cells."""
    named = (*(cell.environment for cell in manifest.cells), *manifest.sweep.axes.environment, *manifest.environments)
    return [*dict.fromkeys(named)]


def name_code_folder(cell: Cell) -> str:
    """Return the folder of a publication that holds the code of a user's workload."""
    return f"{CODE_FOLDER}/{cell.workload_key.replace('/', '-')}"


def withhold_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables with the values of those alone that the program records on purpose or sets itself."""
    return {name: value if name in PUBLIC_VARIABLES else WITHHELD for name, value in variables.items()}


def withhold_host(host: Host) -> Host:
    """Return a machine without the values of other variables."""
    return host.model_copy(update={"variables": withhold_variables(host.variables)})


def withhold_report(report: Report) -> Report:
    """Return a report without the values of other variables."""
    memory = report.memory
    if memory is not None:
        memory = memory.model_copy(update={"allocator": withhold_variables(memory.allocator)})
    settings = tuple(map(withhold_setting, report.settings))
    return report.model_copy(update={"memory": memory, "settings": settings, "saved": ()})


def withhold_setting(setting: Setting) -> Setting:
    """Return a setting without its value, if it is a variable that may not be published; it is honoured as before."""
    if setting.name in PUBLIC_VARIABLES or not VARIABLE_NAME.fullmatch(setting.name):
        return setting
    asked = None if setting.asked is None else WITHHELD
    return Setting(name=setting.name, asked=asked, got=WITHHELD if setting.honoured else f"{WITHHELD}, another one")


def shorten_spec(spec: JobSpec) -> JobSpec:
    """Return a request without the places of files that are not published."""
    named = {"artefact": spec.artefact, "expected": spec.expected, "data": spec.data}
    files = {name: file and file.model_copy(update={"path": name}) for name, file in named.items()}
    return spec.model_copy(update={"variables": withhold_variables(spec.variables), "results": "", **files})


def shorten_command(command: Sequence[str]) -> tuple[str, ...]:
    """Return the command that repeats a run: as it was typed, if it names no file, or with the run's sweep file."""
    kept, skip = list[str](), 0
    for argument in command:
        option = argument.partition("=")[0]
        if skip:
            skip -= 1
        elif option in LOCAL_OPTIONS:
            skip = 0 if "=" in argument else LOCAL_OPTIONS[option]
        else:
            kept.append(argument)
    plain = kept[:1] == ["sweep"] and all(map(PLAIN_ARGUMENT.fullmatch, kept))
    named = any(argument.endswith((".toml", ".py")) for argument in kept)
    return tuple(kept) if plain and not named else REPEAT_COMMAND


def format_utc(text: str, precision: str) -> str:
    """Return a time in UTC.

    Raises:
        UsageError: the text is no time.
    """
    found: datetime | None = parse_timestamp(text)
    if found is None:
        raise UsageError(f"{text[:40]!r} is not a time; the run cannot be published")
    return found.astimezone(UTC).isoformat(timespec=precision)
