"""The run of a sweep on several machines, from its folder to the last block, and again when it is resumed."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.execution.shares import Engine, Number, Place
from orchestrator.execution.shares.attempt import EndedAttempt, ShareRow
from orchestrator.execution.shares.collector import Collector, WrongBlock, make_collector
from orchestrator.execution.shares.dispatcher import Dispatcher, fetch_files
from orchestrator.execution.shares.engines import shares_files
from orchestrator.planning.shares import Assignment, ShareLayout, assign_blocks
from orchestrator.processes.descendants import guard_descendants
from orchestrator.processes.signals import Interrupts
from orchestrator.records.provenance import find_changed_environments
from orchestrator.records.share_store import ShareStore, iterate_attempt_specs, open_attempt
from orchestrator.records.store import Store
from schemas.cluster import Cluster
from schemas.record import Extension, JobRecord, Manifest
from schemas.share import ShareSpec

Show = Callable[[Sequence[ShareRow], int], None]

# The number of lost shares that the end of a run names.
MAX_NAMED: Final = 5


@dataclass(slots=True)
class Head:
    """The head of a run: it keeps the manifest, and its dispatcher hands out the blocks that are missing."""

    run: Store
    manifest: Manifest
    engine: Engine
    problems: list[str] = field(default_factory=list)
    _known: dict[int, range] = field(default_factory=dict)
    """The blocks of each share."""
    _attempts: dict[int, int] = field(default_factory=dict)
    """The number of the last attempt at each share."""
    _adopted: set[Number] = field(default_factory=set)
    """The attempts of an earlier head that are followed."""

    @property
    def cluster(self) -> Cluster:
        """The settings of the machines."""
        assert self.manifest.sweep.cluster is not None
        return self.manifest.sweep.cluster

    def measure_missing(self, interrupts: Interrupts, show: Show, clock: Callable[[], float] = time.monotonic) -> bool:
        """Measure the blocks that are missing; return whether a signal ended that early.

        Raises:
            UsageError: the engine has refused all shares.
            OSError: the run cannot be written to; everything before is kept.
        """
        self.run.write_manifest(self.manifest)
        cells = frozenset(cell.id for cell in self.manifest.cells)
        collector = make_collector(self.run, cells, self._note_machine)
        blocks = self.manifest.sweep.stop.blocks
        dispatcher = Dispatcher(self.run, self.engine, collector, self.cluster.patience, clock=clock)
        dispatcher.on_ended = partial(self._note_end, dispatcher)
        try:
            self._hand_out_blocks(dispatcher)
            with guard_descendants():
                dispatcher.follow_shares(interrupts, show)
        finally:
            self.engine.end_processes()
            missing = collector.taken.list_missing(blocks)
            left_out = {place.name: why for place, why in dispatcher.left_out.items()}
            self.problems += describe_left_out(dispatcher.excluded | left_out)
            self.problems += [*map(describe_failure, dispatcher.failed), *describe_kept(collector.taken.kept)]
            self._write_end(blocks, missing, interrupts)
        if dispatcher.refusal and not collector.taken.by_block and interrupts.received is None:
            raise UsageError(dispatcher.refusal)
        return interrupts.received is not None and bool(missing)

    def _hand_out_blocks(self, dispatcher: Dispatcher) -> None:
        """Follow the attempts of an earlier head that may still run, and queue the other blocks that are missing."""
        for store, spec in iterate_attempt_specs(self.run):
            self._known.setdefault(spec.share, range(spec.first, spec.last + 1))
            self._attempts[spec.share] = max(spec.attempt, self._attempts.get(spec.share, 0))
            # The files first: the end may be among what a node has sent and no head has read.
            problem = fetch_files(self.engine, store)
            if store.read_end() is None and not store.is_withdrawn:
                dispatcher.adopt_attempt(store, spec)
            else:
                self._collect_left(dispatcher.collector, store, spec, problem)
        dispatcher.look_at_all()
        self._adopted.update(dispatcher.open)
        self._queue_missing(dispatcher, range(1, self.manifest.sweep.stop.blocks + 1))

    def _queue_missing(self, dispatcher: Dispatcher, blocks: Sequence[int]) -> None:
        """Queue those blocks that are missing, and that no attempt measures which is followed.

        Raises:
            UsageError: there is no place for them.
        """
        taken = dispatcher.collector.taken.by_block
        followed = {block for each in dispatcher.open.values() for block in range(each.spec.first, each.spec.last + 1)}
        rest = [block for block in blocks if block not in taken and block not in followed]
        if rest and not dispatcher.places:
            dispatcher.places = self.engine.list_places()
        for each in assign_blocks(rest, self._known, self._attempts, self._choose_size(len(rest), dispatcher.places)):
            self._attempts[each.share] = each.attempt
            dispatcher.waiting.append(partial(self._make_spec, each))

    def _note_end(self, dispatcher: Dispatcher, ended: EndedAttempt, store: ShareStore) -> None:
        """Note the environments of a node, and queue what an attempt of an earlier head has left."""
        self._note_environments(ended, store)
        if ended.number in self._adopted and not dispatcher.is_ending:
            try:
                self._queue_missing(dispatcher, range(ended.first, ended.last + 1))
            except UsageError as error:
                self.problems.append(str(error))

    def _collect_left(self, collector: Collector, store: ShareStore, spec: ShareSpec, problem: str) -> None:
        """Collect the blocks that an attempt which is over has closed since an earlier head looked."""
        try:
            collector.collect_blocks(store, spec)
        except WrongBlock as error:
            problem = problem or str(error)
        if problem:
            self.problems.append(f"share {spec.share}, attempt {spec.attempt}: {problem}")

    def _choose_size(self, blocks: int, places: Sequence[Place]) -> int:
        """Return the size of new shares: as asked, or one share for each node."""
        return self.cluster.share_blocks or math.ceil(blocks / max(1, sum(place.slots for place in places)))

    def _make_spec(self, each: Assignment) -> ShareSpec:
        manifest = self.manifest
        assert manifest.identity is not None
        store = open_attempt(self.run, each.share, each.attempt)
        return ShareSpec(
            run=self.run.name,
            share=each.share,
            attempt=each.attempt,
            first=each.first,
            last=each.last,
            sweep=manifest.sweep.model_copy(update={"cluster": None}),
            seed=manifest.seed,
            extensions=manifest.extensions,
            identity=manifest.identity,
            cloned=manifest.cells[-1].model_copy(update={"replica": 0}).id,
            folder=str(store.folder.resolve()) if shares_files(self.cluster) else "",
            home=self.cluster.home,
            keep=self.cluster.keep,
            gpus=self.cluster.gpus,
        )

    def _note_machine(self, record: JobRecord) -> None:
        """Name the machine of the first block that counts as that of the run: no table is of two types."""
        self.manifest = self.manifest.model_copy(update={"host": record.host})
        self.run.write_manifest(self.manifest)

    def _note_environments(self, ended: EndedAttempt, store: ShareStore) -> None:
        """Keep the environments of the first node, and name what differs on another."""
        try:
            found = store.run.read_manifest()
        except UsageError:
            return
        known = self.manifest.environments
        new = {name: each for name, each in found.environments.items() if name not in known}
        said = [f"{change} on {ended.node}" for change in find_changed_environments(known, found.environments)]
        mixed = tuple(dict.fromkeys([*self.manifest.mixed, *said]))
        cores = self.manifest.cores or found.cores
        if new or mixed != self.manifest.mixed or cores != self.manifest.cores:
            changes = {"environments": {**known, **new}, "mixed": mixed, "cores": cores}
            self.manifest = self.manifest.model_copy(update=changes)
            self.run.write_manifest(self.manifest)

    def _write_end(self, blocks: int, missing: Sequence[int], interrupts: Interrupts) -> None:
        if not missing:
            stopped = f"all {blocks} blocks were run"
        elif interrupts.received is not None:
            stopped = f"stopped by {interrupts.received.name}"
        else:
            stopped = f"{blocks - len(missing)} of {blocks} blocks were run"
        self.manifest = self.manifest.model_copy(update={"stopped": stopped, "finished": not missing})
        self.run.write_manifest(self.manifest)


def fix_blocks(manifest: Manifest, layout: ShareLayout, began: datetime) -> Manifest:
    """Return the manifest of a run whose number of blocks is decided before the first: no result changes it."""
    asked = manifest.sweep.stop
    extension = Extension(when=began.isoformat(timespec="seconds"), stop=asked, blocks=0, least_blocks=layout.blocks)
    stop = asked.model_copy(update={"blocks": layout.blocks})
    return manifest.model_copy(
        update={"sweep": manifest.sweep.model_copy(update={"stop": stop}), "extensions": (extension,)}
    )


def describe_left_out(left_out: Mapping[str, str]) -> list[str]:
    """Describe the nodes that got no more shares; one without a name stands for all that are left."""
    return [f"{node or 'the cluster'} got no more shares: {why}" for node, why in left_out.items()]


def describe_failure(ended: EndedAttempt) -> str:
    """Describe an attempt that has not measured all of its blocks."""
    share, attempt = ended.number
    where = f" on {ended.node}" if ended.node else ""
    blocks = ended.last - ended.first + 1
    return f"share {share}, attempt {attempt}{where}: {ended.how} after {ended.done} of {blocks} blocks: {ended.reason}"


def describe_kept(kept: Mapping[tuple[int, int], Sequence[int]]) -> list[str]:
    """Describe the blocks that were measured twice."""
    return [
        f"share {share}, attempt {attempt}: blocks {', '.join(map(str, blocks))} were measured twice; those of "
        "the first attempt count, and these records stay in the folder of this one"
        for (share, attempt), blocks in sorted(kept.items())
    ]
