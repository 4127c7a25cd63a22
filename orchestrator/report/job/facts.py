"""One job as facts, each a label and a text: its ending, its request and its measurements."""

import statistics
from collections.abc import Iterator
from typing import Final

from orchestrator.analysis.derivation.disturbance import (
    FLAG_MEANINGS,
    compute_lost_shares,
    count_cores,
    find_disturbed_samples,
)
from orchestrator.analysis.derivation.memory import compute_memory_metrics
from orchestrator.analysis.derivation.samples import classify_laps
from orchestrator.analysis.quality.flags import find_flags
from orchestrator.format import format_duration, format_ratio, format_size
from orchestrator.records.labels import format_title
from orchestrator.report.job.sparkline import plot_bars, plot_log_bars, plot_marks
from schemas.event import Report
from schemas.job import JobSpec
from schemas.machine_type import identify_type
from schemas.record import JobRecord

Facts = Iterator[tuple[str, str]]

# Characters of a plot: with its label and its ends it fits 80 columns.
WIDTH: Final = 60

WARM_UP_TEXTS: Final = {
    "flat": "steady from the first call on",
    "warm-up": "steady from call {call:,} on",
    "none": "not steady by the end",
    "slow-down": "slower than before from call {call:,} on",
}


def describe_ending(record: JobRecord) -> Facts:
    """Yield the ending of a job, which a user wants to know first."""
    yield "outcome", record.outcome + (f": {record.reason}" if record.reason else "")
    if record.advice:
        yield "advice", record.advice
    if (outside := record.outside) is not None:
        yield "supervisor", f"{format_duration(outside.spawn_to_end_ns)} from spawn to end, started {outside.started}"
        if outside.obstacle:
            yield "start", f"in a fresh interpreter, not from a template: {outside.obstacle}"
        elif record.report is not None and record.report.forked:
            yield "start", "forked from a template, which had imported the framework"
        if outside.looks:
            most, last = format_size(outside.resident_peak_bytes), format_size(outside.resident_last_bytes)
            yield "supervisor", f"at most {most} resident in {outside.looks} readings, {last} in the last"
        if outside.exit_status:
            yield "supervisor", f"exited with status {outside.exit_status} during {outside.last_phase or 'no phase'}"
    yield from describe_stops(record)
    yield from describe_limits(record)


def describe_stops(record: JobRecord) -> Facts:
    """Yield how long something kept the job from running, if anything did."""
    if record.outside is None:
        return
    if stopped_ns := record.outside.stopped_ns:
        phases = record.result.phases if record.result else ()
        hit = [cost.name.replace("_", " ") for cost in phases if cost.stopped_ns]
        during = f" during {' and '.join(hit)}" if hit else ""
        yield "stopped", f"for {format_duration(stopped_ns)}{during}, by a signal; no phase includes that"
    if slept_ns := record.outside.suspended_ns:
        yield "stopped", f"the machine slept for {format_duration(slept_ns)}; no time includes that"


def describe_request(record: JobRecord) -> Facts:
    """Yield the job as it was given to its worker."""
    spec, timing, limits = record.spec, record.spec.timing, record.spec.limits
    cores = ", ".join(map(str, spec.cpus)) or "all"
    yield "cell", f"{spec.cell.label}, {format_title(spec.cell)}"
    freeze = f" (freeze {record.freeze})" if record.freeze else ""
    yield "where", f"environment {spec.cell.environment}{freeze}, cores {cores}"
    yield "machine", f"{identify_type(record.host).label}, fingerprint {record.host.content_hash}"
    yield "place", f"block {spec.block}, position {spec.position}, attempt {spec.attempt}"
    yield "seeds", f"data {spec.seed}, hashes {spec.hash_seed}, environment padded by {spec.padding_bytes} bytes"
    calls = "as many calls as fit" if timing.calls is None else f"{timing.calls:,} calls"
    least, most = format_duration(timing.warmup_min_ns), format_duration(timing.longest_warm_up_ns)
    yield "timing", f"{timing.samples} samples of {format_duration(timing.sample_ns)}, each of {calls}"
    yield "timing", f"warm-up of {least} to {most}; at most {spec.deadline_s:g} s in all"
    memory = "no memory limit" if limits.memory is None else f"memory {format_size(limits.memory)}"
    phases = "".join(f", {name} {seconds:g} s" for name, seconds in limits.phases.items())
    yield (
        "limits",
        f"{memory}, log {format_size(limits.log)}, {limits.files} files, {limits.processes} processes{phases}",
    )
    yield from describe_origins(spec)


def describe_limits(record: JobRecord) -> Facts:
    """Yield the limits of the job as a whole, and the counts of its cgroup."""
    outside, limits = record.outside, record.spec.limits
    if outside is not None and outside.memory_limit is not None and limits.memory is not None:
        whole = "the job as a whole and " if outside.memory_limit == "job" else ""
        yield "memory limit", f"{format_size(limits.memory)} for {whole}each of its processes"
    if outside is not None and outside.control_group is not None:
        counts = {
            "at most {} with the files that it read first": outside.group_peak_bytes
            and format_size(outside.group_peak_bytes),
            "{} out-of-memory kills": outside.group_kills,
            "{} process or thread starts refused": outside.group_refusals,
        }
        said = [text.format(value) for text, value in counts.items() if value is not None]
        yield "cgroup", ", ".join([outside.control_group, *said])


def describe_origins(spec: JobSpec) -> Facts:
    """Yield the origin of a workload, a model or a module that is not built in."""
    if place := spec.source_dir or spec.package:
        yield "workload", f"{place}, code {spec.cell.code}"
    for label, artefact in (("loaded from", spec.artefact), (f"reference {spec.reference}", spec.expected)):
        if artefact is not None:
            yield label, f"{artefact.path}, {artefact.size_bytes} bytes, SHA-256 {artefact.sha256}"
    if spec.module:
        yield "module", spec.module


def describe_measurements(record: JobRecord, report: Report, canary_ns: float) -> Facts:
    """Yield times with their plots, disturbances, memory, versions and warnings."""
    times = [sample / report.calls for sample in report.samples_ns]
    floor, slowest = min(times), max(times)
    yield (
        "per call",
        f"floor {format_duration(floor)}, median {format_duration(statistics.median(times))}, "
        f"slowest {format_duration(slowest)}",
    )
    yield "samples", f"{len(times)} of {report.calls:,} calls, each about {format_duration(min(report.samples_ns))}"
    yield "", f"{plot_bars(times, WIDTH)} up to {format_ratio(slowest / floor)} × floor"
    yield from describe_disturbance(record, report)
    yield from describe_warm_up(report)
    null = report.overhead.null_ns
    yield "loop", f"{null:.0f} ns of a call are overhead of the timing loop: {format_duration(floor - null)} net"
    if report.unseen is not None:
        yield "fresh inputs", f"calls on fresh inputs took at least {report.unseen:.3f} times as long"
    if report.overhead.linearity is not None:
        yield "linearity", f"twice the calls took {report.overhead.linearity:.3f} times as long"
    counted = "not counted" if report.compilations is None else str(report.compilations)
    yield "compilations", f"{counted} during timing"
    yield (
        "flags",
        "; ".join(f"{flag}: {FLAG_MEANINGS[flag]}" for flag in sorted(find_flags(record, canary_ns))) or "none",
    )
    yield from describe_resources(report)
    yield "versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield from (("warned", warning) for warning in report.warnings)


def describe_disturbance(record: JobRecord, report: Report) -> Facts:
    """Yield the disturbed samples, and the counts over all samples."""
    cores, noise = count_cores(record), report.noise
    hit = find_disturbed_samples(report, cores)
    worst = f", the worst by {max(compute_lost_shares(report, cores)):.1%} of its time" if any(hit) else ""
    yield "disturbed", f"{sum(hit)} of {len(hit)} samples{worst}"
    if any(hit):
        yield "", plot_marks(hit, WIDTH)
    quotas = f"; throttled by a quota {noise.throttled} times" if noise.throttled else ""
    moves = "" if noise.migrations is None else f", {noise.migrations} core migrations"
    switches = f"{noise.involuntary_switches} involuntary context switches"
    yield "", f"{switches}{moves}, {noise.major_faults} major page faults{quotas}"
    if noise.canary_ns:
        low, middle = min(noise.canary_ns), statistics.median(noise.canary_ns)
        yield (
            "canary",
            f"a small fixed product took at least {format_duration(low)}, {format_duration(middle)} in the median",
        )


def describe_warm_up(report: Report) -> Facts:
    """Yield each lap from the first call on, and the call from which times were steady."""
    laps = [took / calls for calls, took in report.warmup]
    found = classify_laps(report.warmup)
    # A lap holds several calls: count those of all laps before the steady one.
    call = 1 + sum(calls for calls, _ in report.warmup[: found.start])
    yield "warm-up", f"{WARM_UP_TEXTS[found.kind].format(call=call)}; from the first call, {format_duration(laps[0])}:"
    steady = f" to {format_duration(found.level_ns)}" if found.kind != "none" else ""
    yield "", f"{plot_log_bars(laps, WIDTH)}{steady}"


def describe_resources(report: Report) -> Facts:
    """Yield the rate of work, and memory and energy if the machine reports them."""
    seconds = min(report.samples_ns) / report.calls / 1e9
    if report.ceiling.flops_per_s > 0:
        share = report.work.flops / seconds / report.ceiling.flops_per_s
        yield (
            "work",
            f"{report.work.flops:,} operations per call, {100 * share:.2g} % of the highest rate in this process",
        )
    if found := compute_memory_metrics(report):
        yield "memory", ", ".join(f"{metric.replace('_', ' ')} {format_size(count)}" for metric, count in found.items())
    if report.energy is not None:
        per_call, span = report.energy.joules / report.energy.calls, report.energy.seconds
        yield "energy", f"{per_call:.3g} J per call over {span:.1f} s, {report.energy.source}, whole machine"
