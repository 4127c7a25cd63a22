"""Results of compared functions as typed values, as a frame, and as a table in a notebook."""

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.errors import NotMeasured, Unresolved, unknown_name_error
from orchestrator.format import format_duration, format_ratio, format_ratio_range
from schemas.record import Outcome

HEADINGS = ("function", "mode", "time per call", "ratio (95 % interval)", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FunctionResult:
    """One function in one mode over all its processes.

    Times are nanoseconds per call. Another result to compare it with must be of the same comparison.
    """

    name: str
    result: Result
    group: Group

    @property
    def mode(self) -> str:
        """Return framework and mode, such as `torch:eager`."""
        return f"{self.result.cell.framework}:{self.result.cell.mode}"

    @property
    def outcome(self) -> Outcome | None:
        """Return `measured`, or the outcome that kept it from being so; None: no process of it has ended."""
        return self.result.outcome

    @property
    def reason(self) -> str:
        """Return the reason for another outcome than `measured`."""
        return self.result.reason

    @property
    def time_ns(self) -> float:
        """Return the time of a call.

        Raises:
            NotMeasured: it has none.
        """
        return self.interval_ns.estimate

    @property
    def interval_ns(self) -> Interval:
        """Return the time of a call with its 95 % interval over processes.

        Raises:
            NotMeasured: it has none.
        """
        self.require_measured()
        return self.result.floor_ns

    def __repr__(self) -> str:
        """Return the name with the time, or with the outcome."""
        what = format_duration(self.time_ns) if self.outcome == "measured" else f"{self.outcome or 'not run'}"
        return f"<{self.name} in {self.mode}: {what}>"

    def compare_with(self, other: "FunctionResult") -> Comparison:
        """Return the comparison with another function, whose time is the baseline of the ratio.

        Raises:
            NotMeasured: one of them was not measured.
        """
        for each in (self, other):
            each.require_measured()
        return self.group.pairs[other.result.label, self.result.label]

    def verdict_against(self, other: "FunctionResult") -> Verdict:
        """Return the verdict on this function as compared with another.

        Raises:
            NotMeasured: one of them was not measured.
        """
        return self.compare_with(other).verdict

    def faster_than(self, other: "FunctionResult", by: float = 0.0) -> bool:
        """Return whether a call takes less time than the other's, by at least this share of it.

        True and False are both claims: the whole interval of the ratio is on that side.

        Raises:
            Unresolved: the measurement supports neither.
            NotMeasured: one of them was not measured.
        """
        found = self.compare_with(other)
        decisive, limit = found.undisturbed or found.ratio, 1 - by
        if found.claimed_faster == self.result.label and decisive.high < limit:
            return True
        is_resolved = found.verdict not in (Verdict.UNRESOLVED, Verdict.ESTIMATOR_DEPENDENT)
        if (is_resolved and not by and found.claimed_faster != self.result.label) or decisive.low > limit:
            return False
        raise Unresolved(explain_unresolved(self.name, other.name, found, by))

    def require_measured(self) -> None:
        """Check that the function has a time.

        Raises:
            NotMeasured: it has none; the message says why.
        """
        if self.outcome != "measured":
            how = f"{self.outcome}: {self.reason}" if self.outcome else "the budget had no time for it"
            raise NotMeasured(f"{self.name} in {self.mode} was not measured: {how}")


def explain_unresolved(name: str, other: str, found: Comparison, by: float) -> str:
    """Explain in one sentence why the question is open."""
    ends = format_ratio_range(found.undisturbed or found.ratio)
    share = f" by {100 * by:g} %" if by else ""
    known = f"its ratio is {format_ratio(found.ratio.estimate)}" + (f" ({ends})" if ends else "")
    return (
        f"{found.verdict}: after {found.blocks} blocks it is open whether {name} is faster than {other}{share}: "
        f"{known}; a larger budget or a quieter machine may decide"
    )


@dataclass(frozen=True, slots=True, repr=False)
class FunctionComparison:
    """Compared functions: `found["fast"]` is the result of one of them; with several modes, of the first mode.

    `found["fast", "torch:compile"]` chooses a mode. A notebook shows the comparison as a table.
    """

    run: Run
    results: Mapping[tuple[str, str], FunctionResult]

    def __getitem__(self, name: str | tuple[str, str]) -> FunctionResult:
        """Return the result of a function, in the first mode or in a named one.

        Raises:
            UsageError: there is no such function or mode.
        """
        wanted = name if isinstance(name, tuple) else next((each for each in self.results if each[0] == name), name)
        if isinstance(wanted, str) or wanted not in self.results:
            raise unknown_name_error("function", " in ".join([name] if isinstance(name, str) else name), self.names)
        return self.results[wanted]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the functions, in their order."""
        return tuple(dict.fromkeys(name for name, _ in self.results))

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows of a table in words, the headings first."""
        return [HEADINGS, *map(tuple, self._list_rows())]

    def to_frame(self) -> "pd.DataFrame":
        """Return the cells of the run as a pandas data frame.

        Raises:
            UsageError: pandas is not installed.
        """
        return self.run.frame()

    def _list_rows(self) -> Iterator[list[str]]:
        for each in self.results.values():
            found = each.group.against.get(each.result.label)
            if each.outcome != "measured":
                yield [each.name, each.mode, "", "", f"{each.outcome or 'not run'}: {each.reason}".rstrip(": ")]
            elif found is None:
                yield [each.name, each.mode, format_duration(each.time_ns), "1", "baseline"]
            else:
                ends = format_ratio_range(found.undisturbed or found.ratio, "–")
                ratio = format_ratio(found.ratio.estimate) + (f" ({ends})" if ends else "")
                yield [each.name, each.mode, format_duration(each.time_ns), ratio, str(found.verdict)]

    def __repr__(self) -> str:
        """Return the table as lines of text."""
        rows = self.table()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        head, *rows = ([html.escape(cell) for cell in row] for row in self.table())
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
        titles = "".join(f"<th>{cell}</th>" for cell in head)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.list_notes())
        return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>{notes}"

    def list_notes(self) -> list[str]:
        """Return what a reader of the results must know, in sentences."""
        found = (note for each in self.results.values() for note in each.result.notes)
        return [*dict.fromkeys(found)]


def collect_results(run: Run, names: Iterable[str], kind: type[FunctionResult] = FunctionResult) -> FunctionComparison:
    """Collect the results of a run of these functions, in this order."""
    found = {
        (name, f"{result.cell.framework}:{result.cell.mode}"): kind(name=name, result=result, group=group)
        for name in names
        for group in run.groups
        for result in group.results
        if result.cell.variant == name and not result.cell.replica
    }
    return FunctionComparison(run, found)
