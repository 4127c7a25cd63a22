"""Sums that hold for the samples of every measured job: its times fit into each other. Pure.

Samples that someone has shortened use more CPU time than they last, unless their CPU time was changed as well.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.records.store import job_name
from schemas.event import PhaseName, Report
from schemas.record import JobRecord

# In 15,500 honest samples of one core, none used 1.05 times its wall time and 50 us of CPU time. All samples of a
# process together used at most 1.004 times their wall time, which has the reading of the clock in it: 4 us a sample.
MAX_SAMPLE_SHARE: Final = 1.05
SAMPLE_SLACK_NS: Final = 50_000
MAX_SUM_SHARE: Final = 1.01
SUM_SLACK_NS: Final = 20_000
# The kernel may charge an interrupt to the process that it interrupts.
LONG_SAMPLES: Final = 0.05
FEWEST_LONG_SAMPLES: Final = 2
# Two clocks may differ by this share, and by one late reading.
CLOCK_SHARE: Final = 1.01
CLOCK_SLACK_NS: Final = 1_000_000
# The kernel counts the CPU time of a phase in ticks.
CPU_SLACK_NS: Final = 30_000_000


def find_wrong_sums(records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each measured job with times that do not fit into each other."""
    for record in records:
        if record.report is not None and record.outcome == "measured":
            for sentence in (*describe_cpu_time(record, record.report), *describe_steady_phase(record, record.report)):
                yield f"{job_name(record.spec)} was not measured so: {sentence}"


def describe_cpu_time(record: JobRecord, report: Report) -> Iterator[str]:
    """Yield a sentence if samples used more CPU time than their cores could give while they lasted."""
    # Without a list of cores, a job may use all.
    cores, used, lasted = len(record.spec.cpus) or record.host.cores, report.noise.cpu_ns, report.samples_ns
    if sum(used) > MAX_SUM_SHARE * cores * sum(lasted) + SUM_SLACK_NS * len(lasted):
        yield f"its samples last {sum(lasted) / 1e6:.1f} ms and used {sum(used) / 1e6:.1f} ms of CPU time"
    long = sum(cpu > MAX_SAMPLE_SHARE * cores * wall + SAMPLE_SLACK_NS for cpu, wall in zip(used, lasted, strict=True))
    if long > max(FEWEST_LONG_SAMPLES, LONG_SAMPLES * len(lasted)):
        yield f"{long} of its {len(lasted)} samples used more CPU time than they last"


def describe_steady_phase(record: JobRecord, report: Report) -> Iterator[str]:
    """Yield a sentence if the samples do not fit into the phase in which they were taken, or that into the process."""
    wall, cpu = sum_phases(report, "steady")
    if not wall:
        return
    sampled, used = sum(report.samples_ns), sum(report.noise.cpu_ns)
    if sampled > CLOCK_SHARE * wall + CLOCK_SLACK_NS:
        yield f"its samples last {sampled / 1e6:.1f} ms, and the phase of its samples {wall / 1e6:.1f} ms"
    if used > CLOCK_SHARE * cpu + CPU_SLACK_NS:
        yield f"its samples used {used / 1e6:.1f} ms of CPU time, and the phase of its samples {cpu / 1e6:.1f} ms"
    lived = record.outside.spawn_to_end_ns if record.outside else 0
    if wall > CLOCK_SHARE * lived + CLOCK_SLACK_NS:
        yield f"the phase of its samples lasts {wall / 1e6:.1f} ms, and its process lived {lived / 1e6:.1f} ms"


def sum_phases(report: Report, name: PhaseName) -> tuple[int, int]:
    """Return the wall time and the CPU time of all parts of a phase."""
    found = [cost for cost in report.phases if cost.name == name]
    return sum(cost.wall_ns for cost in found), sum(cost.cpu_ns for cost in found)
