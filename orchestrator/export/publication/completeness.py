"""Records that a run must have: one for each cell of each block, unless the sweep's rules leave it out. Pure.

Without this check a run could be improved by removing what does not please: a slow process, a wrong one, a first try.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.execution.breaches import shares_breach
from orchestrator.export.publication.ending import NO_CELL_LEFT, find_last_block, is_cut_by_budget, read_ending
from orchestrator.records.attempts import last_attempts, sort_records
from orchestrator.records.outcomes import FINAL_OUTCOMES, MAX_FAILURES, RERUN_OUTCOMES, should_retry
from orchestrator.records.store import job_name
from schemas.job import Cell
from schemas.record import JobRecord, Manifest, Placement


def find_missing_records(manifest: Manifest, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each record that is missing, and for each that the sweep would not have made."""
    known = {cell.id for cell in manifest.cells}
    for record in records:
        if record.spec.cell.id not in known:
            yield f"{job_name(record.spec)} is of a cell that the manifest does not have"
    last = find_last_block(records)
    yield from find_wrong_attempts(records, cut=last if is_cut_by_budget(manifest) else None)
    if last == 0:
        yield "it has no block of records"
    of_cell: defaultdict[str, dict[int, JobRecord]] = defaultdict(dict)
    for record in last_attempts(sort_records(records)):
        of_cell[record.spec.cell.id][record.spec.block] = record
    # Without any cell left, not even one was due in the next block.
    due = last + (read_ending(manifest) == NO_CELL_LEFT)
    for blocks in split_parts(records, due):
        for cell in manifest.cells:
            yield from find_gaps(cell, manifest, of_cell, blocks)


def split_parts(records: Sequence[JobRecord], due: int) -> list[list[int]]:
    """Return the blocks of each part of a run: all, or those of an attempt at a share, which gives up its own cells."""
    owners = {record.spec.block: record.placement for record in records}
    parts: defaultdict[Placement | None, list[int]] = defaultdict(list)
    for block in range(1, due + 1):
        parts[owners.get(block)].append(block)
    return [*parts.values()]


def find_wrong_attempts(records: Sequence[JobRecord], cut: int | None) -> Iterator[str]:
    """Yield a sentence for each job whose attempts are not those that the sweep makes.

    In the block that the budget has `cut` there may have been no room for a further attempt.
    """
    jobs: defaultdict[tuple[int, str], list[JobRecord]] = defaultdict(list)
    for record in sort_records(records):
        jobs[record.spec.block, record.spec.cell.id].append(record)
    for (block, _), attempts in jobs.items():
        last = attempts[-1]
        name = job_name(last.spec)
        if [record.spec.attempt for record in attempts] != list(range(1, len(attempts) + 1)):
            yield f"an attempt before {name} is missing"
        elif not all(should_retry(attempts[:count]) for count in range(1, len(attempts))):
            yield f"{name} repeats a job that had an outcome"
        elif block != cut and needs_attempt(attempts):
            yield f"{name} was {last.outcome} and has no further attempt"


def needs_attempt(attempts: Sequence[JobRecord]) -> bool:
    """Return whether a sweep would have made a further attempt at a job: not if it only filled a cache."""
    last = attempts[-1]
    was_run = last.spec.block > 0 and last.outside is not None
    return last.outcome in RERUN_OUTCOMES or (was_run and should_retry(attempts))


def find_gaps(
    cell: Cell, manifest: Manifest, of_cell: Mapping[str, Mapping[int, JobRecord]], blocks: Sequence[int]
) -> Iterator[str]:
    """Yield a sentence for the first of these blocks in which a cell lacks a record, or should not have one."""
    own, failures = {block: record for block, record in of_cell.get(cell.id, {}).items() if block in blocks}, 0
    for block in blocks:
        record = own.get(block)
        if record is None:
            if not may_lack_record(cell, block, manifest, of_cell, blocks):
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
    cell: Cell, block: int, manifest: Manifest, of_cell: Mapping[str, Mapping[int, JobRecord]], blocks: Sequence[int]
) -> bool:
    """Return whether the rules of a sweep leave a cell without a record from this one of its blocks on."""
    if is_cut_by_budget(manifest) and block == blocks[-1]:
        return True  # no room for this job
    if 0 in of_cell.get(cell.id, {}) and of_cell[cell.id][0].outcome != "measured":
        return True  # its cache could not be filled
    earlier = [
        record
        for records in of_cell.values()
        for number, record in records.items()
        if number <= block and number in (0, *blocks)
    ]
    return any(gives_up_cell(record, cell) for record in earlier)


def gives_up_cell(record: JobRecord, cell: Cell) -> bool:
    """Return whether a cell has no further job after this record: its user skipped it, or both share what is broken."""
    is_skipped = record.outcome == "skipped" and cell.original == record.spec.cell.original
    return is_skipped or bool(record.breach and shares_breach(cell, record))
