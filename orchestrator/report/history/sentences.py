"""The sentences of a history: its basis, the steps with what changed there, and what the runs cannot show."""

from collections.abc import Iterator

from orchestrator.comparison.history import CellHistory, History, TypeHistory
from orchestrator.comparison.run_effects import ASSUMED_SPREAD
from orchestrator.comparison.steps import Point, Step
from orchestrator.format import format_ratio, format_ratio_range, to_printable
from orchestrator.records.timestamps import format_day
from orchestrator.registry.frameworks import load_frameworks

# The number of differences that are named at one step. A JSON document has them all.
MAX_NAMED = 5

# Digits of a commit.
SHORT = 8

NOTHING_DIFFERS = "nothing that is recorded differs between these two runs"


def describe_type(history: TypeHistory) -> str:
    """Return the machine, and the number and the time of its runs."""
    first, last = (format_day(run.began) for run in (history.runs[0], history.runs[-1]))
    span = first if first == last else f"{first} to {last}"
    return to_printable(f"{history.machine.label}: {count_runs(len(history.runs))}, {span}")


def count_runs(number: int) -> str:
    """Return a number of runs: `1 run`, `12 runs`."""
    return f"{number} run{'' if number == 1 else 's'}"


def describe_history(history: TypeHistory, alpha: float) -> list[str]:
    """Return the steps of all cells of one type of machine, and how far the search goes."""
    lines = [
        *(describe_step(cell, step) for cell in history.cells for step in cell.claimed),
        *describe_lack_of_steps(history),
        *describe_unclaimed(history),
        *describe_too_few(history),
        *describe_assumption(history),
        *describe_rate(history, alpha),
    ]
    return [to_printable(line) for line in lines]


def describe_step(cell: CellHistory, step: Step) -> str:
    """Return one step of a cell, and what changed there."""
    return f"{name_cell(cell)}: {describe_size(step)}. {describe_changes(step)}."


def name_cell(cell: CellHistory) -> str:
    """Return a cell by its mode and what it computes."""
    return f"{cell.label}, {cell.title}"


def describe_size(step: Step) -> str:
    """Return the direction, the size and the place of a step."""
    way = "slower" if step.observed.estimate > 1 else "faster"
    ratio = f"{format_ratio(step.observed.estimate)} times the time before ({format_ratio_range(step.ratio)})"
    return f"{way} from {step.after.run.name} on, {ratio}"


def describe_findings(cell: CellHistory) -> str:
    """Return the steps of one cell without its name, or why there is none."""
    if cell.claimed:
        sizes = map(describe_size, cell.claimed)
        return " ".join(
            f"{size[0].upper()}{size[1:]}. {describe_changes(step)}."
            for size, step in zip(sizes, cell.claimed, strict=True)
        )
    return "No step." if cell.is_searched else "Too few runs to find a step."


def describe_changes(step: Step) -> str:
    """Return what is recorded to differ at a step, the first differences by name."""
    if not step.changed:
        return f"There, {NOTHING_DIFFERS}"
    more = len(step.changed) - MAX_NAMED
    return f"There, {'; '.join(step.changed[:MAX_NAMED])}{f'; and {more} more' if more > 0 else ''}"


def describe_lack_of_steps(history: TypeHistory) -> Iterator[str]:
    """Yield how many cells have no step although they were searched."""
    searched = [cell for cell in history.cells if cell.is_searched]
    if number := sum(not cell.claimed for cell in searched):
        yield f"{number} of {len(searched)} searched cells: no step."


def describe_unclaimed(history: TypeHistory) -> Iterator[str]:
    """Yield the steps that are significant and yet no claims, the first of them by name."""
    found = [
        f"{cell.label} ({format_ratio(step.observed.estimate)} from {step.after.run.name} on)"
        for cell in history.cells
        for step in cell.steps
        if not step.claimed
    ]
    if found:
        more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
        yield (
            f"No claim: {', '.join(found[:MAX_NAMED])}{more}. Each is significant, but runs may move a cell that did "
            "not change as far."
        )


def describe_too_few(history: TypeHistory) -> Iterator[str]:
    """Yield how many runs a step needs, if some cells have fewer."""
    short = [cell for cell in history.cells if not cell.is_searched]
    if not short:
        return
    if any(cell.needed is None for cell in short):
        yield f"{len(history.cells)} cells are too many for one search: choose some of them with --cell."
        return
    needed, most = short[0].needed, max(len(cell.points) for cell in short)
    who = name_cell(short[0]) if len(short) == 1 else f"{len(short)} of them"
    has = f"{who}: {most}" if len(short) == 1 else f"{who} have {most} or fewer"
    yield f"A step needs {needed} runs to be found in {count_cells(len(history.cells))}; {has}."


def count_cells(number: int) -> str:
    """Return a number of cells: `1 cell`, `5 cells`."""
    return f"{number} cell{'' if number == 1 else 's'}"


def describe_assumption(history: TypeHistory) -> Iterator[str]:
    """Yield what is assumed where too few other cells show the effect of the runs."""
    if any(cell.is_searched and not cell.controls for cell in history.cells):
        yield (
            "Too few other cells show what runs do to a cell that did not change. An effect with a standard deviation "
            f"of {100 * ASSUMED_SPREAD:g} % is assumed, so steps of less than about 5 % are not claimed."
        )


def describe_rate(history: TypeHistory, alpha: float) -> Iterator[str]:
    """Yield the rate of false alarms."""
    if any(cell.is_searched for cell in history.cells):
        some = "" if len(history.cells) == 1 else f" in any of {count_cells(len(history.cells))}"
        yield (
            f"If nothing changed, the chance of a step{some} is at most {100 * alpha:g} % in one look at one machine's "
            "table. Looks after every run show one more often."
        )


def describe_skipped(history: History) -> list[str]:
    """Return the runs and records that are left out."""
    return [to_printable(f"Left out: {reason}.") for reason in history.skipped]


def format_version(point: Point) -> str:
    """Return the version of the framework that a cell ran on; empty if its process named none."""
    entry = load_frameworks().get(point.cell.framework)
    names = (point.cell.framework, *(entry.distributions if entry else ()))
    return next((point.versions[name] for name in names if name in point.versions), "")


def format_commit(point: Point) -> str:
    """Return the first digits of the commit of the user's workload; empty if it is not known."""
    return point.commit[:SHORT]
