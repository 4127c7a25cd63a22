"""The end of a run: the sentence in its manifest must follow from its records, as a sweep writes it. Pure.

Without this check the last blocks of a run could be removed, or more of them measured until a ratio pleases.
"""

import re
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.looks import LOOKS
from orchestrator.analysis.stopping import describe_goal, has_reached_goal
from orchestrator.export.publication.chronology import compute_end
from orchestrator.records.attempts import sort_records
from orchestrator.records.timestamps import parse_timestamp
from schemas.record import JobRecord, Manifest

NO_CELL_LEFT: Final = "no cell was left that could be measured"
PROFILES_LEFT_OUT: Final = re.compile(r", which left no time for [0-9]+ profiles?")
FIRST_BLOCK: Final = re.compile(r" in the first block: (?P<measured>[0-9]+) of [0-9]+ cells were measured")
# A block begins only if its forecast fits into the budget, and so does each of its jobs. So a run may end earlier than
# its budget by the time of one block, and by that of a second one whose templates were imported in vain. Profiles after
# the last block take the time of a third.
MISSING_BLOCKS: Final = 2
SLACK: Final = timedelta(seconds=10)


def is_cut_by_budget(manifest: Manifest) -> bool:
    """Return whether a run says that its budget ended it, in exactly the words of a sweep."""
    return parse_budget_end(manifest) is not None


def parse_budget_end(manifest: Manifest) -> str | None:
    """Return what the sentence about a spent budget says of the first block; None if the run ended otherwise."""
    stopped, due = read_ending(manifest), f"the budget of {manifest.sweep.stop.budget:g} s was used up"
    rest = stopped.removeprefix(due)
    return rest if stopped.startswith(due) and (not rest or FIRST_BLOCK.fullmatch(rest)) else None


def read_ending(manifest: Manifest) -> str:
    """Return the reason why a run ended, without the words about its profiles."""
    return PROFILES_LEFT_OUT.sub("", manifest.stopped) if manifest.sweep.profile else manifest.stopped


def find_wrong_ending(run: Run) -> Iterator[str]:
    """Yield a sentence if the records do not bear out the end that the manifest states."""
    last, ending = find_last_block(run.records), read_ending(run.manifest)
    asked = f"all {run.manifest.sweep.stop.blocks} blocks were run"
    most = f"{last} blocks were run, the most for which the intervals are valid"
    if parse_budget_end(run.manifest) is not None:
        yield from find_wrong_budget(run, ending, last)
    elif ending == asked:
        yield from find_missing_blocks(run.manifest, last)
    elif ending != NO_CELL_LEFT and not (ending == most and last >= LOOKS[-1]):
        yield from find_missed_goal(run, ending, last)
    # A run that reaches its goal with the last block that was asked for says so, and not that all were run.
    before = [look for look in LOOKS if look < last] + ([last] if ending == asked else [])
    yield from find_earlier_goal(run, [look for look in before if look < LOOKS[-1]])


def find_wrong_budget(run: Run, ending: str, last: int) -> Iterator[str]:
    """Yield a sentence if a run's budget was not used up, or not in its first block as it says."""
    yield from find_unspent_budget(run.manifest, run.records, last)
    found = FIRST_BLOCK.fullmatch(parse_budget_end(run.manifest) or "")
    if found and not is_first_block(run, int(found["measured"]), last):
        yield f"the records do not end in the first block, as the manifest says: {ending[:80]!r}"


def find_missing_blocks(manifest: Manifest, last: int) -> Iterator[str]:
    """Yield a sentence if the records do not end with the last block that was asked for."""
    if last != manifest.sweep.stop.blocks:
        yield f"the manifest says that {read_ending(manifest)}, and its records end with block {last}"


def find_last_block(records: Sequence[JobRecord]) -> int:
    """Return the number of the last block that has a record; 0 without any."""
    return max((record.spec.block for record in records), default=0)


def is_first_block(run: Run, measured: int, last: int) -> bool:
    """Return whether a run ended in its first block with so many measured cells."""
    return last <= 1 and measured == len({each.spec.cell.id for each in run.records if each.outcome == "measured"})


def find_missed_goal(run: Run, ending: str, last: int) -> Iterator[str]:
    """Yield a sentence if a run says that it reached a goal, and its records do not reach it."""
    manifest = run.manifest
    reached = has_reached_goal(manifest.sweep, manifest.cells, sort_records(run.records), last, run.looks)
    if not reached or ending != describe_goal(manifest.sweep, manifest.cells, sort_records(run.records), run.looks):
        yield f"the manifest says that the run ended because {ending[:80]!r}, and its records do not say so"


def find_earlier_goal(run: Run, looks: Sequence[int]) -> Iterator[str]:
    """Yield a sentence if a run had reached its goal at one of these looks, and went on.

    The goal of an extended run was another one in the blocks before its extension.
    """
    manifest = run.manifest
    least = max((max(each.blocks, each.least_blocks) for each in manifest.extensions), default=0)
    for look in looks:
        records = [record for record in sort_records(run.records) if record.spec.block <= look]
        if look > least and has_reached_goal(manifest.sweep, manifest.cells, records, look, run.looks):
            said = read_ending(manifest)[:80]
            yield f"the run had reached its goal after block {look}, and its manifest says {said!r}"
            return


def find_unspent_budget(manifest: Manifest, records: Sequence[JobRecord], last: int) -> Iterator[str]:
    """Yield a sentence if the jobs, and what lies between them, took much less time than the budget.

    Nothing is known of the forecasts of a run that ended in its first block.
    """
    began, ends = parse_timestamp(manifest.started), find_block_ends(records)
    if last <= 1 or began is None or not ends:
        return
    spans = [(after - before).total_seconds() for before, after in pairwise([began, *ends])]
    missing = (MISSING_BLOCKS + manifest.sweep.profile) * timedelta(seconds=max(0.0, statistics.median(spans)))
    spent, budget = ends[-1] - began, timedelta(seconds=manifest.sweep.stop.budget)
    if spent + missing + SLACK < budget:
        yield (
            f"the manifest says that the budget of {budget.total_seconds():g} s was used up, and its records end after "
            f"{spent.total_seconds():.0f} s"
        )


def find_block_ends(records: Sequence[JobRecord]) -> list[datetime]:
    """Return the time at which the last job of each block ended, in the order of the blocks."""
    ends: defaultdict[int, list[datetime]] = defaultdict(list)
    for record in records:
        start = None if record.outside is None else parse_timestamp(record.outside.started)
        if start is not None:
            ends[record.spec.block].append(compute_end(record, start))
    return [max(ends[block]) for block in sorted(ends)]
