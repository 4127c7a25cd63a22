"""Rules that decide if a machine is fit to measure: facts in, findings out. Pure.

A `note` is worth knowing and does not affect the fitness. A `warning` makes times less certain, or costs something
that a sweep could have reported. With an `unfit`, a sweep could not run, or would allow no conclusion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.machine.activity import Activity
from orchestrator.machine.findings import (
    GIB,
    Finding,
    Severity,
    format_count,
    format_percent,
    join_names,
    report_fine,
    report_note,
    report_unfit,
    report_warning,
)
from orchestrator.machine.interpreter_probe import SUPPORTED_PYTHONS
from schemas.catalog import Framework
from schemas.record import Host

# The system itself uses less than this; more is the work of other programs.
MIN_BUSY_CORES = 0.1

# Share of the time that may be stolen; the same share disturbs a sample.
MAX_STOLEN_SHARE = 0.005

# The first and the last version for which torch, tensorflow and jax all exist.

# Reading these clocks neither enters the kernel nor asks a device.
GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts about a machine. `unready` are the frameworks whose environment has not been made yet."""

    host: Host
    now: Activity
    frameworks: Sequence[Framework]
    unready: frozenset[str]

    @property
    def usable_cores(self) -> float:
        """Return how many cores' time affinity and quota leave."""
        quota = self.host.cpu_quota
        return min(self.host.cores, quota) if isinstance(quota, float) else self.host.cores

    @property
    def sweep_variables(self) -> set[str]:
        """Return the variables that a sweep sets for its jobs."""
        return {name for framework in self.frameworks for name in framework.variables}


MachineCheck = Callable[[Facts], Finding | None]


def examine_machine(facts: Facts) -> list[Finding]:
    """Return all findings, the gravest last. A check with unknown facts finds nothing; `hidden` lists those."""
    found = [finding for judge in MACHINE_CHECKS if (finding := judge(facts)) is not None]
    return sorted(found, key=lambda finding: list(Severity).index(finding.severity))


def check_others(facts: Facts) -> Finding | None:
    """Check the CPU use of other processes."""
    used, usable = facts.now.others_cores, facts.usable_cores
    if used is None:
        return None
    # Idle daemons would only distract from the process to stop.
    named = [each for each in facts.now.busiest if each.cores >= MIN_BUSY_CORES / 5]
    names = ", ".join(f"{each.name} (pid {each.pid}) {format_percent(each.cores)}" for each in named)
    busiest = f"; the busiest: {names}" if used >= MIN_BUSY_CORES and names else ""
    what = f"Other processes use {used:.2f} of {usable:g} usable cores now{busiest}."
    if used < MIN_BUSY_CORES:
        return report_fine("others", what)
    if usable - used < 0.5:
        return report_unfit("others", what, "Stop them, or measure when they have ended.")
    # Parent and worker need a core each.
    if used >= 0.5 or usable - used < 2:
        advice = "Stop them, or wait: disturbed samples are set aside, and a cell with many is graded C."
        return report_warning("others", what, advice)
    return report_note("others", what, "Let them run as long as two cores stay free.")


def check_load(facts: Facts) -> Finding | None:
    """Check the load of the last minute."""
    value, every = facts.now.load, facts.host.logical_cores or facts.host.cores
    if value is None:
        return None
    what = f"The load average of the last minute is {value:.2f} on {format_count(every, 'core')}."
    if value > every:
        return report_warning("load", what, "Wait until it has fallen: the same programs may run again.")
    if value > every / 2:
        return report_note("load", what, "Check that the same programs will not run again.")
    return report_fine("load", what)


def check_pressure(facts: Facts) -> Finding | None:
    """Check that tasks do not wait for cores."""
    share = facts.now.pressure_share
    if share is None:
        return None
    what = f"Some task waits for a core {format_percent(share)} of the time (PSI)."
    advice = "Run fewer programs at once: the waiting task may be a worker within a sample."
    if share > 0.05:
        return report_warning("pressure", what, advice)
    return report_note("pressure", what, advice) if share > 0.01 else report_fine("pressure", what)


def check_steal(facts: Facts) -> Finding | None:
    """Check the CPU time that the hypervisor takes."""
    share = facts.now.steal_share
    if share is None:
        return None
    if share == 0:
        return report_fine("steal", "No hypervisor takes CPU time from this machine.")
    what = f"The hypervisor gives {format_percent(share)} of this machine's CPU time to other guests."
    advice = "Measure when the other guests are quieter, or on a dedicated machine."
    if share > 0.1:
        return report_unfit("steal", what, advice)
    return report_warning("steal", what, advice) if share > MAX_STOLEN_SHARE else report_note("steal", what, advice)


def check_throttling(facts: Facts) -> Finding | None:
    """Check that no quota stops this process's cgroup, or has stopped it."""
    now, before = facts.now.throttled, facts.now.throttled_before
    if now is None or before is None:
        return None
    if now:
        what = f"A quota stopped this cgroup {format_count(now, 'time')} within a second."
        return report_warning("throttling", what, "Raise the quota, or stop the other programs in the container.")
    if before:
        what = f"A quota has stopped this cgroup {format_count(before, 'time')} so far, but not just now."
        return report_note("throttling", what, "Raise the quota if a sweep reports THROTTLED.")
    return report_fine("throttling", "No quota has ever stopped this cgroup.")


def check_swapping(facts: Facts) -> Finding | None:
    """Check that no pages move to or from the disk."""
    pages = facts.now.swapped_pages
    if pages is None:
        return None
    if pages:
        what = f"{format_count(pages, 'page')} moved to or from the swap space within a second."
        return report_warning("swapping", what, "Close memory-hungry programs, and wait until the swapping ends.")
    return report_fine("swapping", "No memory is being swapped.")


def check_heat(facts: Facts) -> Finding | None:
    """Check that no core is, or was, too hot."""
    now, before = facts.now.overheated, facts.now.overheated_before
    if now is None or before is None:
        return None
    if now:
        what = f"Heat slowed cores down {format_count(now, 'time')} within a second."
        return report_warning("heat", what, "Let the machine cool down, and check its fans.")
    if before:
        what = f"Heat has slowed cores down {format_count(before, 'time')} since boot, but not just now."
        return report_note("heat", what, "Check the cooling if a sweep reports DRIFT.")
    return report_fine("heat", "Heat has not slowed any core down.")


def check_battery(facts: Facts) -> Finding | None:
    """Check that the machine does not save power."""
    if facts.now.on_battery is None:
        return None
    if facts.now.on_battery:
        return report_warning("battery", "The machine runs on its battery and saves power.", "Plug it in.")
    return report_fine("battery", "The machine does not run on a battery.")


def check_cores(facts: Facts) -> Finding:
    """Check that the parent and a worker have a core each."""
    number = facts.host.cores
    if number > 1:
        return report_fine("cores", f"{number} cores are usable, so the parent can avoid its workers' cores.")
    advice = "Allow at least 2, with taskset or in the settings of the container or virtual machine."
    return report_warning("cores", "Only one core is usable, so the parent and its workers share it.", advice)


def check_siblings(facts: Facts) -> Finding | None:
    """Check that no usable cores are threads of one physical core."""
    usable, physical = facts.host.cores, facts.host.usable_physical_cores
    if physical is None:
        return None
    if usable <= physical:
        return report_fine("siblings", "No two usable cores are threads of one physical core (SMT).")
    what = (
        f"SMT is on: the {usable} usable cores are threads of "
        f"{format_count(physical, 'physical core')}, and threads of "
        "the same core slow each other down."
    )
    advice = "Disable it in the firmware, or with: echo off | sudo tee /sys/devices/system/cpu/smt/control"
    return report_note("siblings", what, advice) if physical > 1 else report_warning("siblings", what, advice)


def check_quota(facts: Facts) -> Finding | None:
    """Check that no cgroup may stop a worker within a sample."""
    limit, number = facts.host.cpu_quota, facts.host.cores
    if limit is None:
        return None
    if limit == "unlimited":
        return report_fine("quota", "No cgroup limits CPU time.")
    what = f"A cgroup allows CPU time for {limit:.2f} cores, of {number} usable ones."
    advice = "Raise it (docker --cpus, systemd CPUQuota=), or assign whole cores instead (docker --cpuset-cpus)."
    if limit < 1:
        return report_unfit("quota", what, advice)
    return report_warning("quota", what, advice) if limit < number else report_fine("quota", what)


def check_memory(facts: Facts) -> Finding | None:
    """Check that frameworks fit into the memory."""
    available, limit = facts.now.memory_available_bytes, facts.host.memory_limit_bytes
    if available is None:
        return None
    free_gib = (min(available, limit) if isinstance(limit, int) else available) / GIB
    what = f"{free_gib:.1f} GiB of memory are available."
    advice = "Close memory-hungry programs: importing a framework may take half a GiB, and swapping ruins times."
    if free_gib < 0.5:
        return report_unfit("memory", what, advice)
    return report_warning("memory", what, advice) if free_gib < 2 else report_fine("memory", what)


def check_disk(facts: Facts) -> Finding:
    """Check that records can be kept."""
    kept, advice = facts.now.storage, "Free some space, or choose another folder with --runs."
    if kept.free_bytes is None:
        return report_unfit("disk", f"Runs cannot be written: {kept.refusal}.", "Choose another folder with --runs.")
    what = f"Runs can be written, and {kept.free_bytes / GIB:.1f} GiB are free for them."
    if kept.free_bytes < GIB / 10:
        return report_unfit("disk", what, advice)
    return report_warning("disk", what, advice) if kept.free_bytes < GIB else report_fine("disk", what)


def check_governor(facts: Facts) -> Finding | None:
    """Check that cores keep their clock rate while they idle."""
    name = facts.host.governor
    if name is None:
        return None
    if name == "performance":
        return report_fine("governor", "The frequency governor is performance.")
    what = f"The frequency governor is {name}: a core slows down while it idles."
    return report_warning("governor", what, "Change it with: sudo cpupower frequency-set -g performance")


def check_turbo(facts: Facts) -> Finding | None:
    """Check that the clock rate does not depend on heat and load."""
    if facts.host.turbo is None:
        return None
    if not facts.host.turbo:
        return report_fine("turbo", "Turbo is off: a busy core keeps one clock rate.")
    # Intel's own driver forbids turbo with 1, all other drivers allow it with 1.
    switch = "1 | sudo tee {}/intel_pstate/no_turbo" if "Intel" in facts.host.cpu else "0 | sudo tee {}/cpufreq/boost"
    what = "Turbo is on: the clock rate depends on heat and on how many cores are busy."
    return report_note("turbo", what, f"For steadier times: echo {switch.format('/sys/devices/system/cpu')}")


def check_virtual(facts: Facts) -> Finding | None:
    """Check for neighbours that cannot be seen."""
    name = facts.host.hypervisor
    if name is None:
        return None
    if name == "none":
        return report_fine("virtual", "The machine is not virtual.")
    what = f"This is a virtual machine ({name}): other guests share its caches and memory, and cannot be seen."
    return report_note("virtual", what, "Trust ratios within a run more than absolute times.")


def check_clocksource(facts: Facts) -> Finding | None:
    """Check the clock that the kernel reads."""
    name = facts.host.clocksource
    if name is None:
        return None
    if name in GOOD_CLOCKS:
        return report_fine("clocksource", f"The kernel's clock is {name}.")
    advice = "See dmesg for why the kernel left a better one, such as tsc, and available_clocksource for others."
    return report_warning("clocksource", f"The kernel's clock is {name}, which is slow to read.", advice)


def check_clock(facts: Facts) -> Finding:
    """Check the cost of reading the clock, and its resolution."""
    cost, step = facts.now.clock.cost_ns, facts.now.clock.step_ns
    fineness = "it was not seen to move" if step is None else f"its smallest step is {step} ns"
    what = f"Reading the clock costs {cost:.0f} ns, and {fineness}."
    if cost <= 1000 and step is not None and step <= 1000:
        return report_fine("clock", what)
    return report_warning("clock", what, "Choose a better clock source, or longer samples.")


def check_layout(facts: Facts) -> Finding | None:
    """Check that each process gets another memory layout, so that none is lucky every time."""
    if facts.host.aslr is None:
        return None
    if facts.host.aslr:
        return report_fine("layout", "Every process gets a random memory layout (ASLR).")
    what = "All processes get the same memory layout, lucky or not (ASLR is off)."
    return report_warning("layout", what, "Enable it with: sudo sysctl kernel.randomize_va_space=2")


def check_waiting(facts: Facts) -> Finding:
    """Check that disturbed samples can be recognised."""
    if facts.now.delay_counted:
        return report_fine("waiting", "The kernel counts how long a thread waits for a core (schedstat).")
    what = "Disturbed samples cannot be recognised: the kernel does not count waiting times (schedstat)."
    return report_warning(
        "waiting", what, "Use a Linux kernel with CONFIG_SCHED_INFO, or measure while nothing else runs."
    )


def check_peaks(facts: Facts) -> Finding:
    """Check that the peak of each phase can be measured."""
    if facts.now.peak_resettable:
        return report_fine("peaks", "Memory peaks can be measured phase by phase (VmHWM, clear_refs).")
    what = "Memory peaks cannot be measured: the kernel does not reset them (VmHWM, clear_refs)."
    return report_warning("peaks", what, "Use a Linux kernel with CONFIG_PROC_PAGE_MONITOR; times are not affected.")


def check_python(facts: Facts) -> Finding:
    """Check that all frameworks exist for this Python."""
    # Only two parts are numbers for sure: a pre-release is called 3.14.0rc1.
    version = tuple(int(part) for part in facts.host.python.split(".")[:2])
    if SUPPORTED_PYTHONS[0] <= version <= SUPPORTED_PYTHONS[1]:
        return report_fine("python", f"Python {facts.host.python} is supported.")
    window = " to ".join(f"{major}.{minor}" for major, minor in SUPPORTED_PYTHONS)
    what = f"Python {facts.host.python} is not supported: frameworks are missing for it."
    return report_unfit("python", what, f"Create an environment with Python {window}.")


def check_frameworks(facts: Facts) -> Finding:
    """Check which frameworks can be measured at once, without an installation."""
    here = [framework.name for framework in facts.frameworks if framework.name not in facts.unready]
    if not facts.unready:
        return report_fine("frameworks", f"{join_names(here)} can be measured at once.")
    what = (
        f"Environments are made on first use for {join_names(sorted(facts.unready))}; "
        f"ready: {join_names(here) or 'none'}."
    )
    return report_note("frameworks", what, "No action is needed; `env create NAME` makes one in advance.")


def check_overridden(facts: Facts) -> Finding | None:
    """Check for variables that a sweep sets itself."""
    names = sorted(facts.host.variables.keys() & facts.sweep_variables)
    if not names:
        return None
    what = f"Set in this environment, and overridden by a sweep for its jobs: {join_names(names)}."
    return report_note("overridden", what, "Unset them before a sweep with --track defaults, which keeps them.")


def check_variables(facts: Facts) -> Finding:
    """Check for variables that reach every job."""
    names = sorted(facts.host.variables.keys() - facts.sweep_variables)
    if not names:
        return report_fine("variables", "No environment variable is set that changes how jobs compute.")
    what = f"These environment variables may change the times of every job: {join_names(names)}."
    return report_warning("variables", what, f"Unless this is intended: unset {' '.join(names)}")


def check_hidden(facts: Facts) -> Finding | None:
    """Check for disturbances that are not shown."""
    host, now = facts.host, facts.now
    seen = {
        "the CPU use of others": now.others_cores,
        "the load average": now.load,
        "CPU pressure": now.pressure_share,
        "stolen time": now.steal_share,
        "throttling by a quota": now.throttled,
        "swapping": now.swapped_pages,
        "throttling for heat": now.overheated,
        "its battery": now.on_battery,
        "which cores are siblings": host.usable_physical_cores,
        "a CPU quota": host.cpu_quota,
        "available memory": now.memory_available_bytes,
        "its frequency governor": host.governor,
        "its turbo setting": host.turbo,
        "a hypervisor": host.hypervisor,
        "its clock source": host.clocksource,
        "its memory layout": host.aslr,
    }
    names = [name for name, value in seen.items() if value is None]
    if not names:
        return None
    what = f"This system does not show {join_names(names, 'or')}."
    return report_note("hidden", what, "Remember that such disturbances may go unnoticed.")


# Findings of one severity are shown in this order.
MACHINE_CHECKS: tuple[MachineCheck, ...] = (
    check_others,
    check_load,
    check_pressure,
    check_steal,
    check_throttling,
    check_swapping,
    check_heat,
    check_battery,
    check_memory,
    check_disk,
    check_cores,
    check_siblings,
    check_quota,
    check_governor,
    check_turbo,
    check_virtual,
    check_clocksource,
    check_clock,
    check_layout,
    check_waiting,
    check_peaks,
    check_python,
    check_frameworks,
    check_overridden,
    check_variables,
    check_hidden,
)
