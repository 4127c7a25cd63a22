"""A run with its results: the manifest, the last attempt of each job, and the groups of compared cells."""

import dataclasses
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pandas as pd

from orchestrator.analysis.axis import AxisTable, compare_along_axis
from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.derivation.process import Process, derive_processes, select_last_attempts, sort_processes
from orchestrator.analysis.derivation.run_reader import RunReader
from orchestrator.analysis.derivation.stored_records import StoredRecords
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.job_rows import Row, build_job_row, build_sample_rows
from orchestrator.analysis.process_scores import group_by_cell, select_measured_jobs
from orchestrator.analysis.quality.flags import find_canary_floor_ns
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.rows import Per, align_columns, build_cell_rows
from orchestrator.analysis.statistics.looks import LOOKS, LookRule
from orchestrator.errors import UsageError
from orchestrator.records.axes import check_axis
from orchestrator.records.labels import describe_computations, format_title
from orchestrator.records.store import Store
from schemas.machine_type import MachineType, identify_type
from schemas.record import Host, JobRecord, Manifest


# Without slots, so that each result is kept once it is computed.
@dataclass(frozen=True, kw_only=True)
class Run:
    """One run with its results, each of which is computed once, when it is first needed.

    `records` are all attempts at its jobs, in the order in which they ran; those of a run on disk are read when they
    are looked at. `skipped` names the records that cannot be read, each with the reason. `compare_by` is an axis to
    compare it along, instead of that of its sweep.
    """

    name: str
    manifest: Manifest
    records: Sequence[JobRecord]
    skipped: tuple[str, ...] = ()
    compare_by: str = ""
    others: tuple["Run", ...] = ()
    """The same run on each other type of machine, if nodes of several types have measured it."""

    @classmethod
    def from_store(cls, store: Store) -> Self:
        """Read a run from its folder, without the records that cannot be read.

        Raises:
            UsageError: its manifest is damaged, or not of this version.
        """
        manifest, reader = store.read_manifest(), RunReader(store)
        reader.refresh()
        return cls.from_reader(reader, manifest)

    @classmethod
    def from_reader(cls, reader: RunReader, manifest: Manifest) -> Self:
        """Return a run as far as a reader has read it."""
        kept, foreign = divide_by_type(reader.processes, manifest.host)
        placed = {kind: found for kind, found in foreign.items() if all(each.node for each in found)}
        lost = (each for kind, found in foreign.items() if kind not in placed for each in found)
        return cls(
            name=reader.place.name,
            manifest=manifest,
            records=StoredRecords(reader.place, kept),
            skipped=(*reader.skipped, *map(describe_foreign, lost)),
            others=tuple(cls._of_type(reader, manifest, found) for found in placed.values()),
        )

    @classmethod
    def _of_type(cls, reader: RunReader, manifest: Manifest, found: Sequence[Process]) -> Self:
        """Return a run on nodes of another type of machine: that of the first of these records."""
        records = StoredRecords(reader.place, tuple(found))
        of_type = manifest.model_copy(update={"host": records[0].host})
        return cls(name=reader.place.name, manifest=of_type, records=records)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The records that are in none of the results on its own type of machine, each with the reason."""
        return (*self.skipped, *(describe_foreign(each) for other in self.others for each in other.processes))

    @property
    def machine_type(self) -> MachineType:
        """The type of the machine that measured this run."""
        return identify_type(self.manifest.host)

    @property
    def mixed(self) -> tuple[str, ...]:
        """The differences between the parts of a run that was resumed with `--force`; empty for any other run."""
        return self.manifest.mixed

    @property
    def mark(self) -> str:
        """The prefix of the titles of a mixed run; empty for any other run."""
        return "MIXED: " if self.mixed else ""

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        """The processes derived of the records, in their order."""
        return self.records.processes if isinstance(self.records, StoredRecords) else (*derive_processes(self.records),)

    @cached_property
    def last_attempts(self) -> tuple[Process, ...]:
        """The last attempt of each job, by block and position."""
        return tuple(select_last_attempts(sort_processes(self.processes)))

    @cached_property
    def jobs(self) -> Mapping[str, Sequence[Process]]:
        """The last attempts that count for a cell, by its id. A cell without any has no entry."""
        return group_by_cell(self.last_attempts)

    @cached_property
    def measured_jobs(self) -> Mapping[str, Sequence[Process]]:
        """Those of them with a measurement."""
        return {cell: found for cell, jobs in self.jobs.items() if (found := select_measured_jobs(jobs))}

    @cached_property
    def canary_ns(self) -> float:
        """The fastest canary of the run; 0 if no process ran the canary."""
        return find_canary_floor_ns(self.last_attempts)

    @cached_property
    def blocks(self) -> int:
        """The number of blocks that have been begun."""
        return max((process.block for process in self.processes if process.started is not None), default=0)

    @cached_property
    def node_count(self) -> int:
        """The number of nodes that have measured it; 1 for a run on one machine."""
        return len({process.node for process in self.processes}) or 1

    @property
    def most_blocks(self) -> int:
        """The most blocks that a resumed run is foreseen to reach: those of the last look, on each node."""
        return LOOKS[-1] * self.node_count

    @property
    def looks(self) -> LookRule:
        """The part that verdicts had in the end of this run."""
        extensions = self.manifest.extensions
        return LookRule(self.manifest.sweep.stop.until == "verdict", tuple(each.blocks for each in extensions))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The results of all cells, grouped by their computation."""
        asked, cells = self.manifest.sweep, self.manifest.cells
        found = group_results(
            self.last_attempts, cells, asked.baseline, asked.margin, asked.rank_by, asked.pairs, self.looks
        )
        return tuple(dataclasses.replace(group, title=f"{self.mark}{group.title}") for group in found)

    @cached_property
    def axis_tables(self) -> tuple[AxisTable, ...]:
        """The comparison of each mode with itself along an axis: a table for each computation; none without an axis."""
        asked = self.manifest.sweep
        axis = self.compare_by or asked.compare_by
        if not axis:
            return ()
        found = compare_along_axis(self.groups, self.last_attempts, axis, asked.baseline, asked.margin, self.looks)
        return tuple(dataclasses.replace(table, title=f"{self.mark}{table.title}") for table in found)

    def compared_by(self, axis: str) -> Self:
        """Return the same run, compared along an axis.

        Raises:
            UsageError: there is no such axis, or no cells of the run differ in nothing else.
        """
        check_axis(self.manifest.cells, axis)
        others = tuple(dataclasses.replace(other, compare_by=axis) for other in self.others)
        return dataclasses.replace(self, compare_by=axis, others=others)

    def select_computations(self, text: str) -> Self:
        """Return the same run with only those computations in whose description this text occurs.

        Their results are the same, as no computation is compared with another one.

        Raises:
            UsageError: there is none.
        """
        names = describe_computations(self.manifest.cells)
        chosen = tuple(cell for cell in self.manifest.cells if text in f"{names[cell.id]} {format_title(cell)}")
        if not chosen:
            known = [*dict.fromkeys(names.values())]
            raise UsageError(f"no computation of {self.name} contains {text!r}; there are {', '.join(known[:5])}")
        kept = {cell.id for cell in chosen}
        return dataclasses.replace(
            self,
            manifest=self.manifest.model_copy(update={"cells": chosen}),
            records=self._select_records(kept),
            others=tuple(other.select_computations(text) for other in self.others),
        )

    def _select_records(self, cells: Container[str]) -> Sequence[JobRecord]:
        """Return the records of cells with these ids, which are not read for it."""
        if isinstance(self.records, StoredRecords):
            processes = tuple(process for process in self.processes if process.cell_id in cells)
            return StoredRecords(self.records.store, processes)
        return tuple(record for record in self.records if record.spec.cell.id in cells)

    @property
    def cells(self) -> tuple[Result, ...]:
        """Each cell over all its processes; an unmeasured one has an outcome and a reason, but no rank."""
        return tuple(result for group in self.groups for result in group.results)

    @cached_property
    def measured_ids(self) -> frozenset[str]:
        """The ids of the cells whose figures count."""
        return frozenset(result.cell.id for result in self.cells if result.outcome == "measured")

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Verdicts on the compared pairs of cells, each of which computes the same."""
        return tuple(comparison for group in self.groups for comparison in group.comparisons)

    def rows(self, per: Per = "cell") -> list[Row]:
        """Return a dictionary for each cell, job or sample, with the columns of `export --format csv` (see docs/).

        A run on several types of machine has those of each type, one type after the other.
        """
        return align_columns(pair for run in (self, *self.others) for pair in run.iterate_type_rows(per))

    def iterate_type_rows(self, per: Per) -> Iterator[tuple[Row, Row]]:
        """Yield each row on this type of machine, after its head."""
        head: Row = {
            "run": self.name,
            "run_started": self.manifest.started,
            "machine_type": self.machine_type.content_hash,
            "fingerprint": self.manifest.host.content_hash,
            "mixed": bool(self.mixed),
        }
        for row in build_cell_rows(self.groups) if per == "cell" else self._build_job_rows(per):
            yield head, row

    def find_records(self, processes: Iterable[Process]) -> list[JobRecord]:
        """Return the records of these processes."""
        return [self.records[self._places[process.name]] for process in processes]

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {process.name: place for place, process in enumerate(self.processes)}

    def find_record(self, text: str) -> JobRecord:
        """Return the record of the job with this name, on any type of machine, or of the only one that contains it.

        Raises:
            UsageError: no job matches, or several do.
        """
        every = (*self.others, self)
        places = {each.name: (run.records, place) for run in every for place, each in enumerate(run.processes)}
        fitting = [text] if text in places else [name for name in places if text in name]
        if len(fitting) != 1:
            what = "no job matches" if not fitting else "several jobs match"
            raise UsageError(f"{what} {text!r}; for example: {', '.join((fitting or list(places))[:5])}")
        records, place = places[fitting[0]]
        return records[place]

    def _build_job_rows(self, per: Per) -> Iterable[Row]:
        if per == "job":
            return (
                build_job_row(process, self.canary_ns, sound=process.cell_id in self.measured_ids)
                for process in self.processes
            )
        return (
            row
            for record in self.records
            for row in build_sample_rows(record, self.canary_ns, sound=record.spec.cell.id in self.measured_ids)
        )

    def frame(self, per: Per = "cell") -> "pd.DataFrame":
        """Return the same rows as a pandas data frame; for Polars: `polars.DataFrame(run.rows())`.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise UsageError("a frame needs pandas: pip install 'plumbline-ml[frames]'") from error
        return pd.DataFrame(self.rows(per))


def divide_by_type(
    processes: Iterable[Process], host: Host
) -> tuple[tuple[Process, ...], dict[MachineType, list[Process]]]:
    """Return the processes of machines of this one's type, and those of each other type: no figure is of two types."""
    machine, kept, foreign = identify_type(host), list[Process](), dict[MachineType, list[Process]]()
    for process in processes:
        if process.machine == machine:
            kept.append(process)
        else:
            foreign.setdefault(process.machine, []).append(process)
    return tuple(kept), foreign


def describe_foreign(process: Process) -> str:
    """Return why a process of another type of machine is in no result."""
    return f"{process.name} was measured on another type of machine: {process.machine.label}"
