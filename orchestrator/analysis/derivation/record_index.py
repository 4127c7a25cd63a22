"""The index of a large run: a table of what was derived of its records, so that nobody derives it twice.

It is a file of Apache Arrow, which is mapped into memory: long columns take none until they are looked at. A row holds
while its record's file is the same, and the code of the analysis too. The file is this user's own, so no row is ever
trusted over its record, and it may be removed at any time. Without the library, or where nothing can be kept, there is
no index.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import accumulate, chain, compress, pairwise, starmap
from typing import IO, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter

from orchestrator.analysis.derivation.disturbance import Flag
from orchestrator.analysis.derivation.generation import LoopCalls
from orchestrator.analysis.derivation.process import NONE_SKETCHED as EMPTY
from orchestrator.analysis.derivation.process import Figures, Process, StoredText, Text
from orchestrator.analysis.derivation.throughput import ServedClients
from orchestrator.files.mapping import forget_pages
from orchestrator.records.index_cache import keep_index, map_index
from orchestrator.records.provenance import hash_source
from orchestrator.records.store import Stamp, Store
from schemas.artefact import Artefact
from schemas.event import NewShape
from schemas.job import Cell
from schemas.machine_type import MachineType
from schemas.models import Likeness, ModelSource
from schemas.sweep import MemoryMetric

# What a column holds: numbers, truths, words that repeat, texts that do not, texts that are read only when they are
# looked at, lists of numbers of any length, and objects as JSON that repeats.
Kind: TypeAlias = Literal["int", "float", "bool", "word", "text", "stored", "ints", "floats", "json"]

WORDS: Final = ("cell_id", "outcome", "reason", "advice", "start", "obstacle", "node", "steady", "referee", "agreement")
KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("block", "position", "attempt", "took_ns", "sample_ns", "calls", "undisturbed"), "int"),
    **dict.fromkeys(("canary_ns", "settling_ns", "second_ns", "steady_from", "before_model_ns"), "int"),
    **dict.fromkeys(
        ("least_before_model_ns", "first_result_ns", "least_first_result_ns", "load_ns", "compilations"), "int"
    ),
    **dict.fromkeys(("floor_ns", "least_floor_ns", "typical_ns", "median_ns", "null_ns", "busy_share"), "float"),
    **dict.fromkeys(
        ("steady_level_ns", "growth_bytes", "growth_slope", "peak_flops_per_s", "peak_bytes_per_s"), "float"
    ),
    **dict.fromkeys(("largest_error", "its_tolerance", "equal_argmax"), "float"),
    **dict.fromkeys(("forked", "throttled", "bounded_by_cpu_time", "is_uneven"), "bool"),
    **dict.fromkeys((*WORDS, "inputs_sha256", "build_info"), "word"),
    **dict.fromkeys(("file", "started"), "text"),
    **dict.fromkeys(("phases", "sketched"), "stored"),
    **dict.fromkeys(("log_samples", "percentiles", "memory"), "floats"),
    "laps": "ints",
}
OBJECTS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "cell": TypeAdapter(Cell),
    "seed": TypeAdapter(int),
    "model": TypeAdapter(ModelSource | None),
    "artefact": TypeAdapter(Artefact | None),
    "machine": TypeAdapter(MachineType),
    "own_flags": TypeAdapter(tuple[Flag, ...]),
    "work_flops": TypeAdapter(int),
    "work_bytes": TypeAdapter(int),
    "versions": TypeAdapter(dict[str, str]),
    "warnings": TypeAdapter(tuple[str, ...]),
    "notes": TypeAdapter(tuple[str, ...]),
    "generation": TypeAdapter(LoopCalls | None),
    "throughput": TypeAdapter(tuple[ServedClients, ...]),
    "new_shapes": TypeAdapter(tuple[NewShape, ...]),
    "likeness": TypeAdapter(Likeness),
}
TYPES: Final = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "text": pa.large_string()}
METRICS: Final[tuple[MemoryMetric, ...]] = get_args(MemoryMetric)

PROCESS_FIELDS: Final = tuple(field.name for field in fields(Process) if field.name != "figures")
FIGURE_FIELDS: Final = tuple(field.name for field in fields(Figures))
STAMP_FIELDS: Final = ("size", "mtime_ns", "ctime_ns", "inode")
MEASURED: Final = "has_figures"
VERSION: Final = b"derivation"

# The files that decide what a row says of a record: those that read it, and those that derive.
DERIVING_FILES: Final = (
    "orchestrator/analysis/derivation/**/*.py",
    "orchestrator/analysis/statistics/**/*.py",
    "orchestrator/records/*.py",
    "orchestrator/files/*.py",
    "orchestrator/errors.py",
    "schemas/**/*.py",
)

# The errors of a library that is given what is no table of ours, or a number that no column holds.
UNFIT: Final = (OSError, LookupError, TypeError, ValueError, OverflowError, NotImplementedError, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class Codec:
    """Conversion of a field whose column has another form."""

    encode: Callable[[Any], Sequence[float]]
    decode: Callable[[Sequence[float]], object]


def encode_missing(values: Iterable[float | None]) -> list[float]:
    """Return numbers with NaN for those that are missing."""
    return [math.nan if value is None else value for value in values]


NO_METRICS: Final[Mapping[MemoryMetric, float]] = {}
CODECS: Final[Mapping[str, Codec]] = {
    "percentiles": Codec(
        encode_missing, lambda values: tuple(None if math.isnan(value) else value for value in values)
    ),
    "memory": Codec(
        lambda found: encode_missing(map(found.get, METRICS)) if found else [],
        lambda values: (
            {name: value for name, value in zip(METRICS, values, strict=True) if not math.isnan(value)}
            if values
            else NO_METRICS
        ),
    ),
}


def hash_derivation() -> str:
    """Return the hash of the code that derives processes from records: with other code, they are derived anew."""
    return hash_source(*DERIVING_FILES)


def read_index(store: Store, stamps: Mapping[str, Stamp]) -> dict[str, Process]:
    """Return the processes of the records that have not changed since, by the names of their files.

    `stamps` are those of the records as they are now. An index that cannot be read counts as absent.
    """
    try:
        mapped = map_index(store)
        reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped)))
        # Before anything else is read: only a table of ours has this schema, and none of ours is compressed.
        if not reader.schema.equals(make_table([], []).schema, check_metadata=True):
            return {}
        table = reader.read_all()
        # A disk may damage it, and its offsets must not lead out of its columns.
        table.validate(full=True)
        rows = read_rows(table.combine_chunks(), stamps, partial(forget_pages, mapped))
        return {process.file: process for process in rows}
    except UNFIT:
        return {}


def read_rows(table: pa.Table, stamps: Mapping[str, Stamp], forget: Callable[[], None]) -> Iterator[Process]:
    """Yield the processes of the rows whose records are as they were, in the order of the rows.

    `forget` lets go of what was looked at in the file: most of it is not needed again.
    """
    then = zip(*(list_numbers(table, name) for name in STAMP_FIELDS), strict=True)
    kept = [stamps.get(file) == stamp for file, stamp in zip(read_field(table, "file"), then, strict=True)]
    of_figures, of_processes = (
        [read_field(table, name) for name in names] for names in (FIGURE_FIELDS, PROCESS_FIELDS)
    )
    is_measured = list_numbers(table, MEASURED)
    forget()
    made = starmap(Figures, zip(*of_figures, strict=True))
    figures = (each if is_there else None for each, is_there in zip(made, is_measured, strict=True))
    return compress(starmap(Process, zip(*of_processes, figures, strict=True)), kept)


def read_field(table: pa.Table, name: str) -> Iterable[Any]:
    """Return the values of a field, in the order of the rows."""
    column = table.column(name).chunk(0)
    match KINDS.get(name, "json"):
        case "ints" | "floats" as kind:
            lists = slice_lists(column, "q" if kind == "ints" else "d")
            return map(CODECS[name].decode, lists) if name in CODECS else lists
        case "text":
            return list_objects(column)
        case "stored":
            return read_stored(column)
        case "word":
            return read_words(column, list_objects(column.dictionary))
        case "json":
            return read_words(column, map(OBJECTS[name].validate_json, list_objects(column.dictionary)))
    return list_numbers(table, name)


def read_stored(column: pa.LargeBinaryArray) -> Iterator[Text]:
    """Yield the texts of a column as what reads them when they are looked at."""
    lengths = pc.binary_length(column).to_numpy().tolist()
    # Most have nothing to say, which needs no object of its own.
    return (StoredText(column, row) if size > len(EMPTY) else EMPTY for row, size in enumerate(lengths))


def read_words(column: pa.DictionaryArray, words: Iterable[object]) -> list[object]:
    """Return the values of a column of words that repeat, given what each of them stands for."""
    known = [*words]
    return [None if place is None else known[place] for place in list_objects(column.indices)]


def list_numbers(table: pa.Table, name: str) -> list[Any]:
    """Return a column of numbers, with None where there is none."""
    column = table.column(name).chunk(0)
    # The long way, by way of an object for each, only where some are missing.
    return list_objects(column) if column.null_count else [*column.to_numpy(zero_copy_only=False).tolist()]


def list_objects(column: pa.Array) -> list[Any]:
    """Return the values of a column, with None where there is none."""
    return [*column.to_pylist()]


def slice_lists(column: pa.LargeListArray, code: str) -> Iterator[Sequence[float]]:
    """Yield the lists of a column of integers ("q") or floats ("d") without copying their numbers."""
    plain = memoryview(column.values.buffers()[1] or b"").cast("B")
    numbers: memoryview[float] | memoryview[int] = plain.cast("q") if code == "q" else plain.cast("d")
    bounds = pairwise(column.offsets.to_numpy().tolist())
    return (numbers[start:stop] if start < stop else () for start, stop in bounds)


def write_index(store: Store, processes: Sequence[Process], stamps: Mapping[str, Stamp]) -> None:
    """Write the index of these processes, whose files had these stamps when they were read.

    Where that is not possible, there is none: it saves time, and nothing rests on it.
    """
    try:
        table = make_table(processes, [stamps[process.file] for process in processes])

        def write(file: IO[bytes]) -> None:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)

        keep_index(store, write)
    except UNFIT:
        return


def make_table(processes: Sequence[Process], stamps: Sequence[Stamp]) -> pa.Table:
    """Return the table of these processes with the stamps of their files."""
    figures = [process.figures for process in processes]
    columns = {
        **{name: pa.array([each[place] for each in stamps], pa.int64()) for place, name in enumerate(STAMP_FIELDS)},
        MEASURED: pa.array([each is not None for each in figures], pa.bool_()),
        **{name: make_column(name, [getattr(each, name) for each in processes]) for name in PROCESS_FIELDS},
        **{
            name: make_column(name, [None if each is None else getattr(each, name) for each in figures])
            for name in FIGURE_FIELDS
        },
    }
    return pa.table(columns, metadata={VERSION: hash_derivation().encode()})


def make_column(name: str, values: Sequence[Any]) -> pa.Array:
    """Return the column of a field; None: that process has none."""
    match KINDS.get(name, "json"):
        case "ints":
            return make_list_column([each or () for each in values], "q")
        case "floats":
            return make_list_column(encode_lists(name, values), "d")
        case "stored":
            return pa.array([str(each or EMPTY) for each in values], pa.large_binary())
        case "json":
            return make_words(dump_objects(name, values))
        case "word":
            return make_words(values)
        case plain:
            return pa.array(values, TYPES[plain])


def encode_lists(name: str, values: Sequence[Any]) -> list[Sequence[float]]:
    """Return the lists of numbers that stand for the values of a field."""
    encode = CODECS[name].encode if name in CODECS else list
    return [encode(each or ()) for each in values]


def dump_objects(name: str, values: Sequence[object]) -> list[str | None]:
    """Return the values of a field as JSON."""
    dump = OBJECTS[name].dump_json
    return [None if each is None else dump(each).decode() for each in values]


def make_words(values: Sequence[str | None]) -> pa.Array:
    """Return a column in which each word stands once."""
    return pa.array(values, pa.string()).dictionary_encode()


def make_list_column(lists: Sequence[Sequence[float]], code: str) -> pa.LargeListArray:
    """Return a column of lists of integers ("q") or floats ("d")."""
    offsets = [0, *accumulate(map(len, lists))]
    numbers = array(code, chain.from_iterable(lists))
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(np.frombuffer(numbers, code)))
