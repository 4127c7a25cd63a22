"""Records that a run must have: one for each cell of each block, unless the sweep's rules leave it out. Pure.

Without this check a run could be improved by removing what does not please: a slow process, a wrong one, a first try.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from orchestrator.execution.breaches import shares_breach
from orchestrator.records.attempts import last_attempts, sort_records
from orchestrator.records.outcomes import FINAL_OUTCOMES, MAX_FAILURES, RERUN_OUTCOMES, should_retry
from orchestrator.records.store import job_name
from schemas.job import Cell
from schemas.record import JobRecord, Manifest

# How a manifest says that time ended a run, and with it a block before its end.
SPENT_BUDGET: Final = "the budget of "


def find_missing_records(manifest: Manifest, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each record that is missing, and for each that the sweep would not have made."""
    known = {cell.id for cell in manifest.cells}
    for record in records:
        if record.spec.cell.id not in known:
            yield f"{job_name(record.spec)} is of a cell that the manifest does not have"
    yield from find_wrong_attempts(records, is_cut=manifest.stopped.startswith(SPENT_BUDGET))
    last = max((record.spec.block for record in records), default=0)
    if last == 0:
        yield "it has no block of records"
    of_cell: defaultdict[str, dict[int, JobRecord]] = defaultdict(dict)
    for record in last_attempts(sort_records(records)):
        of_cell[record.spec.cell.id][record.spec.block] = record
    for cell in manifest.cells:
        yield from find_gaps(cell, manifest, of_cell, last)


def find_wrong_attempts(records: Sequence[JobRecord], *, is_cut: bool) -> Iterator[str]:
    """Yield a sentence for each job whose attempts are not those that the sweep makes."""
    jobs: defaultdict[tuple[int, str], list[JobRecord]] = defaultdict(list)
    for record in sort_records(records):
        jobs[record.spec.block, record.spec.cell.id].append(record)
    for attempts in jobs.values():
        name = job_name(attempts[-1].spec)
        if [record.spec.attempt for record in attempts] != list(range(1, len(attempts) + 1)):
            yield f"an attempt before {name} is missing"
        elif not all(should_retry(attempts[:count]) for count in range(1, len(attempts))):
            yield f"{name} repeats a job that had an outcome"
        elif attempts[-1].outcome in RERUN_OUTCOMES and not is_cut:
            yield f"{name} was {attempts[-1].outcome} and has no further attempt"


def find_gaps(
    cell: Cell, manifest: Manifest, of_cell: Mapping[str, Mapping[int, JobRecord]], last: int
) -> Iterator[str]:
    """Yield a sentence for the first block in which a cell lacks a record, or has one that it should not have."""
    own, failures = of_cell.get(cell.id, {}), 0
    for block in range(1, last + 1):
        record = own.get(block)
        if record is None:
            if not may_lack_record(cell, block, manifest, of_cell, last):
                yield f"{cell.id} has no record in block {block}"
            if any(later > block for later in own):
                yield f"{cell.id} has a record in block {max(own)}, and none in block {block}"
            return
        failures += record.outcome != "measured"
        if is_given_up(record, failures):
            if block < max(own):
                yield f"{cell.id} has a record in block {max(own)}, although block {block} gave it up"
            return


def is_given_up(record: JobRecord, failures: int) -> bool:
    """Return whether a cell is not run again after this last attempt."""
    return (
        record.outcome in FINAL_OUTCOMES
        or bool(record.breach)
        or record.outside is None
        or (record.outcome != "measured" and failures >= MAX_FAILURES)
    )


def may_lack_record(
    cell: Cell, block: int, manifest: Manifest, of_cell: Mapping[str, Mapping[int, JobRecord]], last: int
) -> bool:
    """Return whether the rules of a sweep leave a cell without a record from this block on."""
    if manifest.stopped.startswith(SPENT_BUDGET) and (block == last or not of_cell.get(cell.id)):
        return True  # no room for this job, or for the one that makes what it loads
    if 0 in of_cell.get(cell.id, {}) and of_cell[cell.id][0].outcome != "measured":
        return True  # its cache could not be filled
    return any(
        (record.outcome == "skipped" and is_clone(cell, record.spec.cell))
        or (record.breach and shares_breach(cell, record))
        for records in of_cell.values()
        for number, record in records.items()
        if number <= block
    )


def is_clone(one: Cell, other: Cell) -> bool:
    """Return whether two cells are the same but for the number of the clone."""
    return one.model_copy(update={"replica": other.replica}) == other
