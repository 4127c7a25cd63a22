"""Current activity of the machine: the other users of its cores, its memory and its disk.

A value that cannot be read is None. Outside Linux that is most of them.
"""

import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from orchestrator.machine.affinity import read_affinity
from orchestrator.machine.cgroups import find_cgroups
from orchestrator.machine.kernel_files import CPU_FOLDER, ROOT, KernelFiles, parse_bytes, parse_natural

# Duration of an observation.
OBSERVATION_S = 1.0

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class BusyProcess:
    """Process of another program, with the cores that it and its short-lived children kept busy.

    Its arguments are never read: they may hold secrets.
    """

    name: str
    pid: int
    cores: float


@dataclass(frozen=True, slots=True)
class ClockQuality:
    """Cost of reading the clock, and its smallest step or None if it did not move, in nanoseconds."""

    cost_ns: float
    step_ns: int | None


@dataclass(frozen=True, slots=True)
class Storage:
    """Free bytes in the folder for runs, and the reason if nothing can be written there."""

    free_bytes: int | None
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Activity of the machine during an observation, and its means of measuring. Shares are between 0 and 1.

    `throttled` and `overheated` count how often a quota, or heat, stopped a core meanwhile, `..._before` until then.
    `core_use` is the share of each online core that others had, other guests of the hypervisor included.
    """

    load: float | None
    others_cores: float | None
    busiest: tuple[BusyProcess, ...]
    steal_share: float | None
    pressure_share: float | None
    swapped_pages: int | None
    throttled: int | None
    throttled_before: int | None
    overheated: int | None
    overheated_before: int | None
    memory_available_bytes: int | None
    on_battery: bool | None
    clock: ClockQuality
    storage: Storage
    delay_counted: bool
    peak_resettable: bool
    core_use: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessTimes:
    """Process with its CPU time, and that of the descendants that it has reaped, in ticks."""

    name: str
    parent: int
    ticks: int
    reaped_ticks: int


# Processes by their number and their start time, since numbers are reused.
ProcessTable = Mapping[tuple[int, str], ProcessTimes]


@dataclass(frozen=True, slots=True)
class ActivityCounters:
    """Snapshot of counters that only grow. Ticks are summed over the cores that this process may use.

    `taken_ticks` are the busy and the stolen ones of every online core.
    """

    cores: int
    busy_ticks: int
    steal_ticks: int
    all_ticks: int
    pressure_us: int | None
    swapped_pages: int | None
    throttled: int | None
    overheated: int | None
    taken_ticks: Mapping[int, int] = field(default_factory=dict)


def observe_activity(
    runs: Path, root: Path = ROOT, wait: Callable[[], None] = lambda: time.sleep(OBSERVATION_S)
) -> Activity:
    """Observe the machine while `wait` runs, and check that runs can be written to a folder."""
    files = KernelFiles(root)
    # Reading all processes takes a while: within the interval of the counters, or shares would be too large.
    before, earlier = read_counters(files), read_processes(files)
    wait()
    later, after = read_processes(files), read_counters(files)
    ticks = (after.all_ticks - before.all_ticks) / max(1, before.cores)
    shares = find_busy_processes(earlier, later, ticks)
    # This program's own work must not be reported as that of others.
    own = sum(each.cores for each in shares if each.pid == os.getpid())
    busy = compute_share(after.busy_ticks - before.busy_ticks, ticks)
    pressure = compute_increase(before.pressure_us, after.pressure_us)
    return Activity(
        load=parse_decimal(files.read_text("proc/loadavg")),
        others_cores=None if busy is None else max(0.0, busy - own),
        busiest=tuple(each for each in shares if each.pid != os.getpid())[:3],
        steal_share=compute_share(after.steal_ticks - before.steal_ticks, after.all_ticks - before.all_ticks),
        pressure_share=None if pressure is None else compute_share(pressure * TICKS_PER_S / 1e6, ticks),
        swapped_pages=compute_increase(before.swapped_pages, after.swapped_pages),
        throttled=compute_increase(before.throttled, after.throttled),
        throttled_before=before.throttled,
        overheated=compute_increase(before.overheated, after.overheated),
        overheated_before=before.overheated,
        memory_available_bytes=parse_bytes(files.read_table("proc/meminfo").get("MemAvailable")),
        on_battery=is_on_battery(files),
        clock=measure_clock(),
        storage=check_storage(runs),
        delay_counted=is_delay_counted(files),
        peak_resettable=is_peak_resettable(files),
        core_use=compute_core_use(before, after),
    )


def read_counters(files: KernelFiles) -> ActivityCounters:
    """Read all counters."""
    usable = read_affinity(files)
    every = read_core_ticks(files)
    ticks = [numbers for core, numbers in every.items() if usable is None or core in usable]
    pressure = re.search(r"some .*total=([0-9]+)", files.read_text("proc/pressure/cpu") or "")
    pages = files.read_table("proc/vmstat", " ")
    # Not iowait: a core that waits for a disk is free.
    return ActivityCounters(
        cores=len(ticks),
        busy_ticks=sum(map(sum_busy_ticks, ticks)),
        steal_ticks=sum(each[7] for each in ticks),
        all_ticks=sum(sum(each[:8]) for each in ticks),
        pressure_us=parse_natural(pressure[1]) if pressure else None,
        swapped_pages=sum_known(parse_natural(pages.get(name)) for name in ("pswpin", "pswpout")),
        throttled=sum_known(
            parse_natural(files.read_table(f"{folder}/cpu.stat", " ").get("nr_throttled"))
            for folder in find_cgroups(files, "cpu")[1]
        ),
        overheated=sum_known(files.read_numbers(f"{CPU_FOLDER}/cpu[0-9]*/thermal_throttle/core_throttle_count")),
        taken_ticks={core: sum_busy_ticks(numbers) + numbers[7] for core, numbers in every.items()},
    )


def sum_busy_ticks(numbers: Sequence[int]) -> int:
    """Return the ticks in which a core worked, interrupts included."""
    return sum(numbers[:3]) + sum(numbers[5:7])


def compute_core_use(before: ActivityCounters, after: ActivityCounters) -> dict[int, float]:
    """Return the share of its time that each core was taken in between; nothing if no time has passed."""
    ticks = (after.all_ticks - before.all_ticks) / max(1, before.cores)
    grown = {core: now - before.taken_ticks.get(core, now) for core, now in after.taken_ticks.items()}
    return {core: min(1.0, max(0.0, each / ticks)) for core, each in grown.items()} if ticks > 0 else {}


def read_core_ticks(files: KernelFiles) -> dict[int, list[int]]:
    """Return each core's user, nice, system, idle, iowait, irq, softirq and steal ticks since the start.

    A kernel that counts fewer kinds is too old to be understood.
    """
    found = (re.fullmatch(r"cpu([0-9]{1,6})((?: +[0-9]{1,20}){8,})", line) for line in files.read_lines("proc/stat"))
    return {int(each[1]): [int(number) for number in each[2].split()] for each in found if each}


def read_processes(files: KernelFiles) -> ProcessTable:
    """Read every process."""
    found: dict[tuple[int, str], ProcessTimes] = {}
    for folder in files.list_names("proc/[0-9]*"):
        # A process may choose a name with spaces and brackets, so the last bracket ends it.
        head, _, tail = (files.read_text(f"{folder}/stat") or "").rpartition(")")
        pid, _, name = head.partition(" (")
        fields, number = tail.split(), parse_natural(pid)
        if number is not None and len(fields) > 19:
            # proc(5): the parent is field 4, the CPU times are fields 14 to 17, the start time is field 22.
            parent, user, system, *reaped = (parse_natural(fields[place]) or 0 for place in (1, 11, 12, 13, 14))
            found[number, fields[19]] = ProcessTimes(name, parent, user + system, sum(reaped))
    return found


def find_busy_processes(before: ProcessTable, after: ProcessTable, ticks: float) -> list[BusyProcess]:
    """Return the processes that used CPU time in between, the busiest first, each with its children that ended then."""
    # A process that reaps another receives all its ticks at once: those from before must not count.
    inherited, found = count_inherited_ticks(before, after), list[BusyProcess]()
    for key, each in after.items():
        was = before.get(key, ProcessTimes(each.name, each.parent, 0, 0))
        reaped = max(0, each.reaped_ticks - was.reaped_ticks - inherited[key[0]])
        if share := compute_share(each.ticks - was.ticks + reaped, ticks):
            found.append(BusyProcess(each.name, key[0], share))
    return sorted(found, key=lambda each: -each.cores)


def count_inherited_ticks(before: ProcessTable, after: ProcessTable) -> Counter[int]:
    """Count, for each process that may have reaped processes meanwhile, the ticks that these had used before."""
    gone, parents = before.keys() - after.keys(), {key[0]: each.parent for key, each in before.items()}
    ended, inherited = {key[0] for key in gone}, Counter[int]()
    for key in gone:
        for reaper in list_reapers(key[0], parents, ended):
            inherited[reaper] += before[key].ticks + before[key].reaped_ticks
    return inherited


def list_reapers(pid: int, parents: Mapping[int, int], ended: Collection[int]) -> set[int]:
    """List the processes that may have reaped one: its parent, or if that has ended too, any process above it.

    A parent that ends passes on what it has reaped, and the kernel hands what it has not reaped to a process above.
    """
    above, found = parents[pid], set[int]()
    if above not in ended:
        return {above}
    while above in parents and above not in found:
        found.add(above)
        above = parents[above]
    return found | {1}  # in a container, orphans may go to process 1 although it is not above them


def compute_share(part: float, whole: float) -> float | None:
    """Return a share; None of nothing."""
    return max(0.0, part / whole) if whole > 0 else None


def sum_known(numbers: Iterable[int | None]) -> int | None:
    """Return the sum of the known numbers; None without any."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def compute_increase(before: int | None, after: int | None) -> int | None:
    """Return the increase of a counter; None if unknown."""
    return None if before is None or after is None else max(0, after - before)


def parse_decimal(text: str | None) -> float | None:
    """Parse the first number of a text such as `0.31 0.69 0.79 4/92 9515`."""
    found = re.match(r"[0-9]{1,9}\.[0-9]{1,9}", text or "")
    return float(found[0]) if found else None


def is_on_battery(files: KernelFiles) -> bool | None:
    """Return True if the machine's battery, not a mouse's, is discharging."""
    if not files.has_file("sys/class/power_supply"):
        return None
    folders = files.list_names("sys/class/power_supply/*")
    batteries = [name for name in folders if files.read_text(f"{name}/type") == "Battery"]
    own = [name for name in batteries if files.read_text(f"{name}/scope") != "Device"]
    plugged = any(files.read_numbers("sys/class/power_supply/*/online"))
    return not plugged and any(files.read_text(f"{name}/status") == "Discharging" for name in own)


def measure_clock(
    read: Callable[[], int] = time.perf_counter_ns, batches: int = 5, readings: int = 1000
) -> ClockQuality:
    """Measure the cost of one reading of the clock in the fastest batch, and the smallest step."""
    times = [[read() for _ in range(readings)] for _ in range(batches)]
    steps = [after - before for batch in times for before, after in pairwise(batch) if after > before]
    return ClockQuality(min((batch[-1] - batch[0]) / (readings - 1) for batch in times), min(steps, default=None))


def check_storage(runs: Path) -> Storage:
    """Write an unnamed file in the folder for runs, or in the nearest existing folder above it."""
    try:
        folder = next(path for path in (runs.absolute(), *runs.absolute().parents) if path.exists())
        # Permission bits do not tell of a read-only or full disk; only writing does.
        with tempfile.TemporaryFile(dir=folder):
            return Storage(shutil.disk_usage(folder).free)
    except OSError as error:
        return Storage(None, error.strerror or type(error).__name__)


def is_delay_counted(files: KernelFiles) -> bool:
    """Return True if the kernel counts how long threads wait for a core: it then counted this thread's run time."""
    ran = (files.read_text("proc/self/schedstat") or "").partition(" ")[0]
    return bool(parse_natural(ran))


def is_peak_resettable(files: KernelFiles) -> bool:
    """Return True if a process's peak of memory can be read, and reset by writing to `clear_refs`."""
    marked = "VmHWM" in files.read_table("proc/self/status")
    try:
        # Write to an existing file only: below a root that is not the kernel's, writing would make a new one.
        return (
            marked
            and files.has_file("proc/self/clear_refs")
            and files.to_path("proc/self/clear_refs").write_text("5") == 1
        )
    except OSError:
        return False
