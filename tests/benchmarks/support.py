"""The table of support, outcomes of every mode on every workload, as data and as the pages that are made of it.

    python -m tests.benchmarks.support

This makes docs/reference/support.md, and the section "Support" of docs/reference/modes.md, again from the data in
docs/reference/support.json, which has one line for each cell. `tests.benchmarks.modes` measures the cells.
"""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, NamedTuple

from schemas.base import Model
from schemas.catalog import FRAMEWORKS, Framework, Mode
from schemas.job import Task
from schemas.record import Outcome
from schemas.workloads import SUITES

ROOT: Final = Path(__file__).resolve().parents[2]
DATA: Final = ROOT / "docs" / "reference" / "support.json"
PAGE: Final = DATA.with_suffix(".md")
MODES_PAGE: Final = DATA.with_name("modes.md")
OPENING: Final = "<!-- support: made by `python -m tests.benchmarks.support`; do not edit by hand -->\n"
CLOSING: Final = "<!-- /support -->\n"

RIGHT: Final = "measured"
NOT_TRIED: Final = "not tried"
TASKS: Final[tuple[Task, ...]] = ("forward", "backward")

# The suites with a table each, in their order: together they contain every workload.
SHOWN_SUITES: Final = ("question", "static", "dynamic", "generation", "operations")


class CellName(NamedTuple):
    """A cell of the table: the name of a mode, as in `torch:eager`, a workload at its default sizes, and a task."""

    mode: str
    workload: str
    task: str


class Entry(Model):
    """The outcome of a cell, with its reason if it is not `measured`."""

    outcome: Outcome | Literal["not tried"]
    reason: str = ""

    @property
    def is_right(self) -> bool:
        """Return whether a run of this table has measured the cell, which includes the verification of its results."""
        return self.outcome == RIGHT

    @property
    def label(self) -> str:
        """Return its outcome for a table."""
        return "✓" if self.outcome == RIGHT else self.outcome


class SupportFile(Model):
    """The content of the data file: versions by mode, reasons by their hashes, and entries with such hashes by cell."""

    versions: dict[str, dict[str, str]]
    reasons: dict[str, str]
    cells: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Support:
    """The table of support. `versions` are those of the packages that each mode was last tried with."""

    versions: Mapping[str, Mapping[str, str]]
    entries: Mapping[CellName, Entry]

    def add_entries(self, entries: Mapping[CellName, Entry], versions: Mapping[str, Mapping[str, str]]) -> "Support":
        """Return the table with these entries and versions, in place of its own for the same cells and modes.

        An entry `not tried` replaces no other one: what is known already stays.
        """
        told = {cell: found for cell, found in entries.items() if found.outcome != NOT_TRIED}
        return replace(self, versions={**self.versions, **versions}, entries={**entries, **self.entries, **told})

    def keep_due(self) -> "Support":
        """Return the table without entries for modes and workloads that no longer exist."""
        due = set(list_due_cells())
        modes = {cell.mode for cell in due}
        return Support(
            {mode: found for mode, found in self.versions.items() if mode in modes},
            {cell: entry for cell, entry in self.entries.items() if cell in due},
        )


def list_modes() -> Iterator[tuple[Framework, Mode]]:
    """Yield every mode of the catalog with its framework; test modes are left out."""
    yield from ((known, mode) for known in FRAMEWORKS if known.name != "synthetic" for mode in known.modes)


def name_mode(framework: Framework, mode: Mode) -> str:
    """Return the name of a mode as in `--frameworks torch:eager`."""
    return f"{framework.name}:{mode.name}"


def list_workloads(suite: str) -> list[str]:
    """List the workloads of a suite, each once."""
    found = next(each for each in SUITES if each.name == suite)
    return [*dict.fromkeys(text.partition(":")[0] for text in found.workloads)]


def list_shown_workloads(suite: str) -> list[str]:
    """List the workloads of a suite that no table of a suite before it has."""
    before = {each for other in SHOWN_SUITES[: SHOWN_SUITES.index(suite)] for each in list_workloads(other)}
    return [each for each in list_workloads(suite) if each not in before]


def list_all_workloads() -> list[str]:
    """List the workloads of all suites, by name."""
    return sorted({workload for suite in SUITES for workload in list_workloads(suite.name)})


def list_due_cells() -> list[CellName]:
    """List all cells that the table must have: every mode on every workload of the suites, forward and backward."""
    modes = [name_mode(*each) for each in list_modes()]
    return [CellName(mode, workload, task) for mode in modes for workload in list_all_workloads() for task in TASKS]


def describe_missing(support: Support) -> str:
    """Return in one sentence which cells have no entry, and the commands that add them; empty if each has one."""
    missing = [cell for cell in list_due_cells() if cell not in support.entries]
    if not missing:
        return ""
    modes, workloads = (",".join(dict.fromkeys(each)) for each in list(zip(*missing, strict=True))[:2])
    command = f"python -m tests.benchmarks.modes --only {modes} --workloads {workloads}"
    return (
        f"{len(missing)} cells have no entry in {DATA.name}, such as {' '.join(missing[0])}; run them with "
        f"`{command}`, or enter them without a run with `{command} --not-tried REASON`"
    )


# The data file


def read_support(path: Path = DATA) -> Support:
    """Read the table from its data file; a missing file is an empty table.

    Raises:
        ValueError: the file has another form, or a reason is missing in it.
    """
    if not path.exists():
        return Support({}, {})
    found = SupportFile.model_validate_json(path.read_text())
    entries = {
        CellName(*name.split()): entry.model_copy(update={"reason": find_reason(found, entry.reason)})
        for name, entry in found.cells.items()
    }
    return Support(found.versions, entries)


def find_reason(found: SupportFile, key: str) -> str:
    """Return the reason with this hash, and no reason for no hash."""
    if key and key not in found.reasons:
        raise ValueError(f"there is no reason {key!r} in the data file; measure its cells again")
    return found.reasons[key] if key else ""


def format_support(support: Support) -> str:
    """Return the content of the data file, sorted and with one line for each mode, reason and cell.

    A reason is named by a hash, so that a new reason changes no other line.
    """
    reasons = {hash_reason(entry.reason): entry.reason for entry in support.entries.values() if entry.reason}
    cells = {
        " ".join(name): entry.model_copy(
            update={"reason": hash_reason(entry.reason) if entry.reason else ""}
        ).model_dump(exclude_defaults=True)
        for name, entry in support.entries.items()
    }
    tables = {"versions": support.versions, "reasons": reasons, "cells": cells}
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {format_lines(table)}" for name, table in tables.items()) + "\n}\n"


def hash_reason(reason: str) -> str:
    """Return eight hexadecimal digits of the SHA-256 of a reason."""
    return hashlib.sha256(reason.encode()).hexdigest()[:8]


def format_lines(table: Mapping[str, object]) -> str:
    """Return a JSON object with one line for each key, in their order."""
    lines = [f"{json.dumps(key)}: {json.dumps(table[key], ensure_ascii=False)}" for key in sorted(table)]
    return "{\n" + ",\n".join(lines) + "\n}"


def write_support(support: Support, data: Path = DATA, page: Path = PAGE, modes_page: Path = MODES_PAGE) -> None:
    """Write the data file and both pages."""
    data.write_text(format_support(support))
    page.write_text(format_page(support))
    modes_page.write_text(put_summary(modes_page.read_text(), format_summary(support)))


# The summary in docs/reference/modes.md


def put_summary(page: str, summary: str) -> str:
    """Return a page with the summary between its markers.

    Raises:
        ValueError: the page lacks a marker.
    """
    before, opening, rest = page.partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not (opening and closing):
        raise ValueError(f"the page has no lines {OPENING.strip()!r} and {CLOSING.strip()!r}; put them under a heading")
    return f"{before}{opening}\n{summary}\n{closing}{after}"


def format_summary(support: Support) -> str:
    """Return the table of the modes, with the workloads on which each is right, and its explanation."""
    lines = ["| mode | description | forward right on | backward right on |", "|---|---|---|---|"]
    for framework, mode in list_modes():
        name = name_mode(framework, mode)
        forward, backward = (describe_task(support, name, task) for task in TASKS)
        lines.append(f"| `{name}` | {describe_mode(mode)} | {forward} | {backward} |")
    counts = Counter(state_of(support.entries.get(cell)) for cell in list_due_cells())
    lines += ["", f"*All* means the {len(list_all_workloads())} workloads of the suites at their default sizes."]
    left = f"; {counts['untried']:,} are not tried" if counts["untried"] else ""
    lines.append(
        f"Of {counts.total():,} cells, {counts['right']:,} are right and {counts['failed']:,} have another "
        f"outcome{left}."
    )
    lines.append("[Support](support.md) has the outcome of each cell, its reason, and the versions.")
    return "\n".join(lines) + "\n"


def state_of(entry: Entry | None) -> str:
    """Return whether a cell is right, has failed, or is untried."""
    if entry is None or entry.outcome == NOT_TRIED:
        return "untried"
    return "right" if entry.is_right else "failed"


def describe_mode(mode: Mode) -> str:
    """Return a mode's summary, and whether it is deprecated."""
    return mode.summary.replace("|", "\\|") + ("; deprecated upstream" if mode.deprecated else "")


def describe_task(support: Support, mode: str, task: Task) -> str:
    """Describe on which workloads a mode is right, and which outcomes it has on the others."""
    found = defaultdict[str, list[str]](list)
    for workload in list_all_workloads():
        entry = support.entries.get(CellName(mode, workload, task))
        found[entry.label if entry else NOT_TRIED].append(workload)
    right = found.pop("✓", [])
    others = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    if not others:
        return "all"
    if len(right) > len(others[0][1]):
        return "all but " + "; ".join(describe_group(each) for each in others)
    most, fewer = others[0][0], [describe_group(each) for each in others[1:]]
    if not (right or fewer):
        return most
    return "; ".join([*([join_workloads(right)] if right else []), *fewer, f"all others: {most}"])


def describe_group(group: tuple[str, Sequence[str]]) -> str:
    """Describe the workloads with one outcome."""
    outcome, workloads = group
    return f"{join_workloads(workloads)}: {outcome}"


def join_workloads(workloads: Iterable[str]) -> str:
    """Return workloads as code, separated by commas."""
    return ", ".join(f"`{workload}`" for workload in workloads)


# The page docs/reference/support.md


INTRODUCTION: Final = """\
# Support

Each entry is the outcome of one job at the workload's default sizes, in float32, with batch 1 and one thread, on a CPU:

- ✓: `measured`. Its output, or its loss and every gradient, agree with the float64 reference, and its time is sound.
- An [outcome](faults.md) such as `wrong` or `unsupported`. The number is that of its [reason](#reasons).
- *not tried*: no run of this table has the cell. It does not count as right.

Jobs take the processor's vector instructions for granted (`TORCHINDUCTOR_VEC_ISA_OK=1`), which Inductor would try in
each.

`python -m tests.benchmarks.modes` runs the jobs and writes `docs/reference/support.json`, of which
`python -m tests.benchmarks.support` makes this page. An outcome that noise can cause is tried again.
"""


def format_page(support: Support) -> str:
    """Return the page with the outcome of each cell: two tables for each suite, then the reasons and the versions."""
    numbers = number_reasons(support)
    parts = [
        INTRODUCTION,
        *(
            f"## Suite `{suite}`, {task}\n\n{format_table(support, suite, task, numbers)}"
            for suite in SHOWN_SUITES
            for task in TASKS
        ),
    ]
    reasons = [f"{number}. {escape_markdown(reason)}\n" for reason, number in numbers.items()]
    parts += ["## Reasons\n\n" + "".join(reasons), f"## Versions\n\n{format_versions(support)}"]
    return "\n".join(parts)


def number_reasons(support: Support) -> dict[str, int]:
    """Number the reasons in the order in which the tables name them."""
    cells = (
        CellName(name_mode(*each), workload, task)
        for suite in SHOWN_SUITES
        for task in TASKS
        for each in list_modes()
        for workload in list_shown_workloads(suite)
    )
    named = (support.entries[cell].reason for cell in cells if cell in support.entries)
    return {reason: number for number, reason in enumerate(dict.fromkeys(filter(None, named)), start=1)}


def format_table(support: Support, suite: str, task: Task, numbers: Mapping[str, int]) -> str:
    """Return the table of one suite and task, with a row for each mode and a column for each workload."""
    workloads = list_shown_workloads(suite)
    lines = [f"| mode | {' | '.join(f'`{workload}`' for workload in workloads)} |", "|---" * (len(workloads) + 1) + "|"]
    for each in list_modes():
        mode = name_mode(*each)
        entries = (support.entries.get(CellName(mode, workload, task)) for workload in workloads)
        lines.append(f"| `{mode}` | {' | '.join(format_entry(entry, numbers) for entry in entries)} |")
    return "\n".join(lines) + "\n"


def format_entry(entry: Entry | None, numbers: Mapping[str, int]) -> str:
    """Return an entry of a table: its outcome, and a link to its reason."""
    if entry is None:
        return NOT_TRIED
    return entry.label + (f" [{numbers[entry.reason]}](#reasons)" if entry.reason else "")


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    shown = re.sub(r"([\\`*_{}\[\]#])", r"\\\1", text)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace("](", "]\\(")


def format_versions(support: Support) -> str:
    """Return a table of the versions that modes were tried with; modes with the same ones share a row."""
    sharing = defaultdict[str, list[str]](list)
    for each in list_modes():
        mode = name_mode(*each)
        found = support.versions.get(mode, {})
        told = ", ".join(f"{package} {version}" for package, version in sorted(found.items()))
        sharing[told or "none: no run of this table"].append(mode)
    rows = [f"| {join_workloads(modes)} | {told} |" for told, modes in sharing.items()]
    return "\n".join(["| modes | versions |", "|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    write_support(read_support())
