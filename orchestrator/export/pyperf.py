"""pyperf's JSON, version 1.0: a benchmark for each measured cell, a run for each of its processes that counts.

Values are the seconds per call of each sample. Warm-ups are those of each lap, from the first call on. `pyperf
compare_to`, `stats`, `hist` and `check` read them. `compare_to` applies its own test, which treats the samples of one
process as independent (docs/explanation/measurement.md states how often it errs).
"""

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from orchestrator.analysis.process_scores import select_counted_jobs
from orchestrator.analysis.run import Run
from orchestrator.export.named import list_measured_results
from orchestrator.format import to_printable
from orchestrator.records.timestamps import parse_timestamp
from schemas.event import Report
from schemas.machine_type import identify_type
from schemas.record import JobRecord

Metadata: TypeAlias = dict[str, str | int | float]


def export_document(run: Run) -> bytes:
    """Return a suite of benchmarks."""
    suite = [
        make_benchmark(name, run.find_records(process for process, _ in select_counted_jobs(run.jobs[found.cell.id])))
        for name, found in list_measured_results(run)
    ]
    # pyperf refuses a benchmark without runs.
    document = {"version": "1.0", "benchmarks": [each for each in suite if each["runs"]]}
    return json.dumps(document, allow_nan=False).encode() + b"\n"


def make_benchmark(name: str, records: Sequence[JobRecord]) -> dict[str, Any]:
    """Return one cell as a benchmark."""
    metadata = {"name": to_one_line(name), "unit": "second"}
    return {
        "metadata": metadata,
        "runs": [make_process_run(record, record.report) for record in records if record.report is not None],
    }


def make_process_run(record: JobRecord, report: Report) -> dict[str, Any]:
    """Return one process as a run."""
    return {
        "metadata": make_metadata(record, report),
        "warmups": [[calls, took_ns / calls / 1e9] for calls, took_ns in report.warmup],
        "values": [sample / report.calls / 1e9 for sample in report.samples_ns],
    }


def make_metadata(record: JobRecord, report: Report) -> Metadata:
    """Return the metadata that pyperf has names for, and versions. Omit unknown values: pyperf refuses empty ones."""
    host, outside = record.host, record.outside
    began = parse_timestamp(outside.started) if outside else None
    known: Metadata = {
        "loops": report.calls,
        "cpu_model_name": host.cpu,
        "machine_type": identify_type(host).content_hash,
        "cpu_count": host.logical_cores or host.cores,
        "cpu_affinity": ",".join(map(str, record.spec.cpus)),
        "platform": host.system,
        "python_version": host.python,
        "python_hash_seed": record.spec.hash_seed,
        "date": f"{began:%Y-%m-%d %H:%M:%S.%f}" if began else "",
        "load_avg_1min": outside.load_before if outside else "",
        **{f"{name}_version": version for name, version in report.versions.items()},
    }
    return {name: to_one_line(value) for name, value in known.items() if value != ""}


def to_one_line(value: str | float) -> str | float:
    """Put text on one line, as pyperf requires. Return numbers unchanged."""
    return " ".join(to_printable(value).split()) if isinstance(value, str) else value
