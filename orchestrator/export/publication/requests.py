"""The requests of a run's jobs: what the manifest decides must be in each of them. Pure.

The timing of a cell's later processes follows from its first ones. So only those parts of it are compared that all jobs
share.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from orchestrator.export.publication.ending import find_last_block, is_cut_by_budget
from orchestrator.planning.order import derive_data_seed, order_cells
from orchestrator.planning.starts import is_thorough_block
from orchestrator.records.store import job_name
from schemas.job import WARMUP_MAX_NS, JobSpec
from schemas.record import Host, JobRecord, Manifest


def find_foreign_requests(manifest: Manifest, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each job that was not asked for as the manifest says."""
    seed = derive_data_seed(manifest.seed)
    for record in records:
        name = job_name(record.spec)
        for what, found, due in list_settings(manifest, record.spec, seed):
            if found != due:
                yield f"{name} was run with {what} {str(found)[:40]}, and its manifest says {str(due)[:40]}"
        if record.outside is not None:
            yield from (f"{name} {fault}" for fault in find_wrong_cores(record.spec, record.host))
    yield from find_wrong_places(manifest, records)


def list_settings(manifest: Manifest, spec: JobSpec, seed: int) -> Iterator[tuple[str, object, object]]:
    """Yield the settings that all jobs of a run share, each with its value in a job and by the manifest."""
    sweep, timing, asked = manifest.sweep, spec.timing, manifest.sweep.timing
    yield "seed", spec.seed, seed
    yield "sample_ns", timing.sample_ns, asked.sample_ns
    yield "latency_calls", timing.latency_calls, asked.latency_calls
    yield "growth_calls", timing.growth_calls, asked.growth_calls
    yield "concurrency", timing.concurrency, asked.concurrency
    # A budget may allow for a longer warm-up than the default.
    default = max(WARMUP_MAX_NS, timing.warmup_max_ns or 0)
    yield "warmup_max_ns", timing.warmup_max_ns, default if asked.warmup_max_ns is None else asked.warmup_max_ns
    yield "deadline", spec.deadline_s, sweep.deadline
    yield "limits", spec.limits, sweep.limits
    yield "sandbox", spec.sandbox, sweep.sandbox
    yield "thorough", spec.thorough, spec.thorough or is_thorough_block(spec.block)


def find_wrong_cores(spec: JobSpec, host: Host) -> Iterator[str]:
    """Yield what is wrong with the cores of a job: one for each thread, as long as its machine has enough.

    On the track `defaults`, a framework finds all cores. What the kernel allows may name cores that are offline.
    """
    online = min(host.cores, host.logical_cores or host.cores)
    due = online if spec.cell.track == "defaults" else min(spec.cell.threads, online)
    found = {*spec.cpus}
    if len(found) != due:
        yield f"was measured on {len(found)} cores, and its machine and its threads make that {due}"
    if host.affinity is not None and (foreign := sorted(found.difference(host.affinity))):
        yield f"was measured on core {foreign[0]}, which its run could not use"


def find_wrong_places(manifest: Manifest, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each job that was not run in its place of the block, which the seed of the run decides."""
    blocks: defaultdict[int, list[JobRecord]] = defaultdict(list)
    for record in records:
        if record.spec.block > 0:
            blocks[record.spec.block].append(record)
    cut = find_last_block(records) if is_cut_by_budget(manifest) else None
    for block, found in sorted(blocks.items()):
        if block != cut and not any(record.outcome == "skipped" or record.breach for record in found):
            yield from find_wrong_order(manifest, block, [record for record in found if was_begun(record)])


def was_begun(record: JobRecord) -> bool:
    """Return whether a job had its turn. Those of a cell that cannot run have a record without."""
    return record.outside is not None or record.outcome == "orchestrator-lost"


def find_wrong_order(manifest: Manifest, block: int, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each of a block's jobs that was not run in its place. Each cell of the block has a job."""
    listed = {record.spec.cell.id for record in records}
    ordered = order_cells([cell for cell in manifest.cells if cell.id in listed], manifest.seed, block)
    due = {cell.id: place for place, cell in enumerate(ordered)}
    for record in records:
        spec = record.spec
        if spec.position != due.get(spec.cell.id):
            yield (
                f"{job_name(spec)} has the place {spec.position} in its block, and the seed of its run gives it the "
                f"place {due.get(spec.cell.id)}"
            )
