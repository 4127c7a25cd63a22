"""The machine: what it is, as far as a time depends on it, and what it is doing now.

Everything is read from the kernel's files below a root, so that a test can be any machine. What cannot be read is
None: on another system than Linux that is most of it.
"""

import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import psutil

from schemas.record import Host, Unlimited

N = TypeVar("N", int, float)
ROOT = Path("/")
CPUS = "sys/devices/system/cpu"
CLOCKS = "sys/devices/system/clocksource/clocksource0"

RECORDED = (
    "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "OMP_PLACES", "OMP_DYNAMIC",
    "OMP_SCHEDULE", "GOMP_CPU_AFFINITY", "GOMP_SPINCOUNT", "KMP_AFFINITY", "KMP_BLOCKTIME",
    "MKL_NUM_THREADS", "MKL_DYNAMIC", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_THREADING_LAYER",
    "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_THREAD_TIMEOUT",
    "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPY_DISABLE_CPU_FEATURES",
    "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
    "ATEN_CPU_CAPABILITY", "PYTORCH_JIT", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF",
    "TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE", "TORCHINDUCTOR_FORCE_DISABLE_CACHES",
    "TORCHINDUCTOR_FX_GRAPH_CACHE", "TORCHINDUCTOR_MAX_AUTOTUNE",
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "XLA_FLAGS",
    "TF_DETERMINISTIC_OPS", "TF_CUDNN_USE_AUTOTUNE", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_USE_LEGACY_KERAS",
    "KERAS_BACKEND",
    "JAX_PLATFORMS", "JAX_ENABLE_X64", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_DISABLE_JIT", "PJRT_NPROC", "NPROC", "XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_CLIENT_MEM_FRACTION",
    "CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING", "CUDA_CACHE_DISABLE", "NVIDIA_TF32_OVERRIDE",
    "LD_PRELOAD", "LD_BIND_NOW", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_CONF", "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_",
)  # fmt: skip
"""Environment variables that may change a time. Never all of them: others hold secrets."""

PACKAGES = (
    "torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "jaxlib", "numpy", "scipy", "pydantic", "onnxruntime",
    "openvino",
)  # fmt: skip

ARITHMETIC = re.compile(r"avx.*|fma.*|f16c|amx_.*|.*bf16|asimd.*|sve.*|sme(?!p$).*|i8mm")
"""Flags of a CPU that decide which kernels a framework takes."""

HYPERVISORS = {
    "kvm": ("kvm", "google compute engine"),
    "hyper-v": ("hyperv", "virtual machine"),
    "vmware": ("vmware",),
    "virtualbox": ("virtualbox", "innotek"),
    "xen": ("xen",),
    "parallels": ("parallels",),
    "qemu": ("qemu",),
}
"""What the firmware and the clocks of a guest give away."""

NO_LIMIT = 1 << 60
"""Bytes from which on a control group's limit means that there is none."""

WATCHED_S = 1.0
"""For so long is watched what the machine is doing."""

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a machine, by their names below its root."""

    root: Path = ROOT

    def path(self, name: str) -> Path:
        """Where a file is."""
        return self.root / name

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return os.access(self.path(name), os.F_OK)

    def text(self, name: str) -> str | None:
        """What a file says, without space around it; None if it says nothing or cannot be read."""
        try:
            return self.path(name).read_text(errors="replace").replace("\0", " ").strip() or None
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """What a file says, if that is a natural number."""
        return natural(self.text(name))

    def lines(self, name: str) -> list[str]:
        """A file's lines; none if it cannot be read."""
        return (self.text(name) or "").splitlines()

    def table(self, name: str, separator: str = ":") -> dict[str, str]:
        """A file of names and values; the first value where a name comes again."""
        found: dict[str, str] = {}
        for line in self.lines(name):
            key, _, value = line.partition(separator)
            found.setdefault(key.strip(), value.strip())
        return found

    def names(self, pattern: str) -> list[str]:
        """The names that fit a pattern."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def numbers(self, pattern: str) -> list[int]:
        """What the files that fit a pattern say, as far as that is natural numbers."""
        found = (self.number(name) for name in self.names(pattern))
        return [number for number in found if number is not None]


def natural(text: str | None) -> int | None:
    """A natural number; None if the text is none."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,20}", text) else None


def size(text: str | None) -> int | None:
    """Bytes: `48K`, `32M`, `24684092 kB` and plain `512`."""
    parts = re.fullmatch(r"([0-9]{1,20}) ?([kKMG]?)B?", text or "")
    return int(parts[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[parts[2].upper()] if parts else None


def utf8(text: str) -> str:
    """A variable's value; bytes of it that are no text are replaced, or no document could hold it."""
    return os.fsencode(text).decode(errors="replace")


def fingerprint(variables: Mapping[str, str] = os.environ, root: Path = ROOT) -> Host:
    """Describe this machine."""
    files = Files(root)
    affinity = allowed(files)
    memory = files.table("proc/meminfo")
    return Host.model_validate(
        {
            "cpu": cpu_model(files.path("proc/cpuinfo")),
            "cores": len(affinity or cores()),
            "memory_bytes": size(memory.get("MemTotal")) or psutil.virtual_memory().total,
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "python": platform.python_version(),
            "variables": {name: utf8(variables[name]) for name in RECORDED if name in variables},
            "packages": versions(PACKAGES),
            "affinity": affinity,
            "swap_bytes": size(memory.get("SwapTotal")),
        }
        | processor(files)
        | topology(files, affinity)
        | caches(files)
        | settings(files)
        | limits(files)
    )


def cores() -> tuple[int, ...]:
    """The numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(psutil.cpu_count() or 1))


def cpu_model(source: Path = Path("/proc/cpuinfo")) -> str:
    """What the CPU calls itself."""
    try:
        for line in source.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def step_aside(theirs: set[int]) -> None:
    """Keep this process off the workers' cores, where that leaves it any."""
    ours = set(cores()) - theirs
    if ours and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, ours)


def allowed(files: Files) -> tuple[int, ...] | None:
    """The numbers of the cores that the kernel lets this process use: `0-2,5` is 0, 1, 2 and 5."""
    said = files.table("proc/self/status").get("Cpus_allowed_list", "")
    ranges = re.findall(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", said)
    numbers = {number for low, high in ranges for number in range(int(low), int(high or low) + 1)}
    return tuple(sorted(numbers)) or None


def versions(names: Iterable[str]) -> dict[str, str]:
    """Of the packages that are installed beside this program, read without importing any of them."""
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = str(importlib.metadata.version(name))
    return found


def processor(files: Files) -> dict[str, object]:
    """What the CPU can compute with, in the words of x86 or of ARM, and its microcode."""
    said = files.table("proc/cpuinfo")
    flags = said.get("flags") or said.get("Features")
    return {
        "microcode": said.get("microcode"),
        "cpu_flags": sorted(flag for flag in flags.split() if ARITHMETIC.fullmatch(flag)) if flags else None,
    }


def topology(files: Files, affinity: Collection[int] | None) -> dict[str, object]:
    """How many sockets, hardware threads (`logical_cores`) and cores are online. Threads of one core are siblings."""
    folders = files.names(f"{CPUS}/cpu[0-9]*/topology")
    siblings = {natural(name.split("/")[-2][3:]): files.text(f"{name}/thread_siblings_list") for name in folders}
    usable = {group for number, group in siblings.items() if affinity is None or number in affinity}
    physical = len({*siblings.values()} - {None})
    active = files.number(f"{CPUS}/smt/active")
    return {
        "sockets": len(set(files.numbers(f"{CPUS}/cpu[0-9]*/topology/physical_package_id"))) or None,
        "logical_cores": len(folders) or None,
        "physical_cores": physical or None,
        "usable_physical_cores": len(usable - {None}) or None,
        "smt": bool(active) if active is not None else (len(folders) > physical if physical else None),
    }


def caches(files: Files) -> dict[str, object]:
    """Bytes of the first core's caches, whoever shares them. A size of 0 is how a hypervisor hides one."""
    found: dict[int | None, int | None] = {}
    for folder in files.names(f"{CPUS}/cpu0/cache/index[0-9]*"):
        if files.text(f"{folder}/type") != "Instruction":
            found[files.number(f"{folder}/level")] = size(files.text(f"{folder}/size")) or None
    return {"l1d_bytes": found.get(1), "l2_bytes": found.get(2), "l3_bytes": found.get(3)}


def settings(files: Files) -> dict[str, object]:
    """What the kernel was told, and by whom it is run itself."""
    governors = {files.text(name) for name in files.names(f"{CPUS}/cpu[0-9]*/cpufreq/scaling_governor")}
    chosen = re.search(r"\[(\w+)\]", files.text("sys/kernel/mm/transparent_hugepage/enabled") or "")
    kernel = (files.text("proc/sys/kernel/osrelease"), files.text("proc/sys/kernel/version"))
    return {
        "kernel": " ".join(filter(None, kernel)) or None,
        "hypervisor": hypervisor(files),
        "clocksource": files.text(f"{CLOCKS}/current_clocksource"),
        "governor": ", ".join(sorted(filter(None, governors))) or None,
        "turbo": turbo(files),
        "huge_pages": chosen[1] if chosen else None,
        "aslr": files.number("proc/sys/kernel/randomize_va_space"),
    }


def hypervisor(files: Files) -> str | None:
    """Whose guest this machine is: a name, `unknown`, or `none` where an x86 CPU denies it. Others do not say."""
    flags = files.table("proc/cpuinfo").get("flags")
    if flags is not None and "hypervisor" not in flags.split():
        return "none"
    places = (
        "sys/hypervisor/type", "sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name",
        f"{CLOCKS}/available_clocksource",
    )  # fmt: skip
    seen = " ".join(files.text(name) or "" for name in places).lower()
    named = (name for name, marks in HYPERVISORS.items() if any(mark in seen for mark in marks))
    return next(named, "unknown" if flags is not None else None)


def turbo(files: Files) -> bool | None:
    """Whether a core may run faster than its nominal rate while it is cool and others idle."""
    if (forbidden := files.number(f"{CPUS}/intel_pstate/no_turbo")) is not None:
        return not forbidden
    allowing = files.numbers(f"{CPUS}/cpufreq/boost") or files.numbers(f"{CPUS}/cpufreq/policy*/boost")
    return any(allowing) if allowing else None


def limits(files: Files) -> dict[str, object]:
    """What control groups allow this process."""
    version, runners = groups(files, "cpu")
    _, holders = groups(files, "memory")
    sizes = (files.number(f"{folder}/{name}") for folder in holders for name in ("memory.max", "memory.limit_in_bytes"))
    return {
        "cgroup": version,
        "cpu_quota": tightest([quota for each in runners if (quota := quota_of(files, each))], runners),
        "memory_limit_bytes": tightest([limit for limit in sizes if limit is not None and limit < NO_LIMIT], holders),
    }


def tightest(found: Sequence[N], folders: Sequence[str]) -> N | Unlimited | None:
    """The smallest of the limits; where there are groups and none has one, unlimited."""
    return min(found) if found else ("unlimited" if folders else None)


def quota_of(files: Files, folder: str) -> float | None:
    """How many cores' time a control group may use; None if it has no limit of its own."""
    both = files.text(f"{folder}/cpu.max") or " ".join(
        files.text(f"{folder}/{name}") or "" for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    )
    quota, period = (natural(part) for part in both.partition(" ")[::2])
    return quota / period if quota and period else None


def groups(files: Files, controller: str) -> tuple[str | None, list[str]]:
    """The version of a controller, and the folders of the control groups around this process that can be read."""
    entries = [line.split(":", 2) for line in files.lines("proc/self/cgroup") if line.count(":") > 1]
    for _, controllers, path in entries:
        if controller in controllers.split(","):
            return "v1", around(files, (controllers, controller), path)
    for _, controllers, path in entries:
        if not controllers:
            return "v2", around(files, (".", "unified"), path)
    return None, []


def around(files: Files, mounts: Iterable[str], path: str) -> list[str]:
    """A control group's folder and those above it.

    A container may be told the path that its host sees, and find its own group at the root: what is not there is
    left out.
    """
    readable = "cgroup.procs"
    mount = next((f"sys/fs/cgroup/{name}" for name in mounts if files.has(f"sys/fs/cgroup/{name}/{readable}")), None)
    parts = [part for part in path.split("/") if part not in ("", "..")]
    places = ["/".join((mount, *parts[:depth])) for depth in range(len(parts) + 1)] if mount else []
    return [place for place in places if files.has(f"{place}/{readable}")]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Somebody else's process, and how many cores it and its short-lived children kept busy.

    Never its arguments: they may hold secrets.
    """

    name: str
    pid: int
    cores: float


@dataclass(frozen=True, slots=True)
class Clock:
    """What reading the clock costs, and its smallest step; None if it was not seen to move. Nanoseconds."""

    cost_ns: float
    step_ns: int | None


@dataclass(frozen=True, slots=True)
class Storage:
    """Where runs are kept: free bytes, and why nothing can be written there (empty: it can)."""

    free_bytes: int | None
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What the machine did while it was watched, and what it lets us see. Shares are between 0 and 1.

    `throttled` and `overheated` count how often a quota, or heat, stopped a core meanwhile, `..._before` until then.
    """

    load: float | None
    others_cores: float | None
    busiest: tuple[Neighbour, ...]
    steal_share: float | None
    pressure_share: float | None
    swapped_pages: int | None
    throttled: int | None
    throttled_before: int | None
    overheated: int | None
    overheated_before: int | None
    memory_available_bytes: int | None
    on_battery: bool | None
    clock: Clock
    storage: Storage
    delay_counted: bool
    peak_resettable: bool


@dataclass(frozen=True, slots=True)
class Process:
    """A process: `ticks` are its own CPU time and that of its children that have ended."""

    name: str
    parent: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Counters:
    """What only grows, at one moment. Ticks are summed over the cores that this process may use."""

    cores: int
    busy_ticks: int
    steal_ticks: int
    all_ticks: int
    processes: Mapping[tuple[int, str], Process]
    pressure_us: int | None
    swapped_pages: int | None
    throttled: int | None
    overheated: int | None


def observe(runs: Path, root: Path = ROOT, wait: Callable[[], None] = lambda: time.sleep(WATCHED_S)) -> Condition:
    """Watch the machine while `wait` runs, and see whether runs can be kept in a folder."""
    files = Files(root)
    before = count(files)
    wait()
    after = count(files)
    ticks = (after.all_ticks - before.all_ticks) / max(1, before.cores)
    shares = busy_shares(before.processes, after.processes, ticks)
    own = sum(each.cores for each in shares if each.pid == os.getpid())
    busy = per(after.busy_ticks - before.busy_ticks, ticks)
    pressure = moved(before.pressure_us, after.pressure_us)
    return Condition(
        load=decimal(files.text("proc/loadavg")),
        others_cores=None if busy is None else max(0.0, busy - own),
        busiest=tuple(each for each in shares if each.pid != os.getpid())[:3],
        steal_share=per(after.steal_ticks - before.steal_ticks, after.all_ticks - before.all_ticks),
        pressure_share=None if pressure is None else per(pressure * TICKS_PER_S / 1e6, ticks),
        swapped_pages=moved(before.swapped_pages, after.swapped_pages),
        throttled=moved(before.throttled, after.throttled),
        throttled_before=before.throttled,
        overheated=moved(before.overheated, after.overheated),
        overheated_before=before.overheated,
        memory_available_bytes=size(files.table("proc/meminfo").get("MemAvailable")),
        on_battery=on_battery(files),
        clock=clock(),
        storage=storage(runs),
        delay_counted=delay_counted(files),
        peak_resettable=peak_resettable(files),
    )


def count(files: Files) -> Counters:
    """Read all counters."""
    usable = allowed(files)
    ticks = [
        numbers
        for number, numbers in core_ticks(files).items()
        if len(numbers) >= 8 and (usable is None or number in usable)
    ]
    pressure = re.search(r"some .*total=([0-9]+)", files.text("proc/pressure/cpu") or "")
    pages = files.table("proc/vmstat", " ")
    return Counters(
        cores=len(ticks),
        busy_ticks=sum(sum(each[:3]) + sum(each[5:7]) for each in ticks),
        steal_ticks=sum(each[7] for each in ticks),
        all_ticks=sum(sum(each[:8]) for each in ticks),
        processes=processes(files),
        pressure_us=natural(pressure[1]) if pressure else None,
        swapped_pages=total(natural(pages.get(name)) for name in ("pswpin", "pswpout")),
        throttled=total(
            natural(files.table(f"{folder}/cpu.stat", " ").get("nr_throttled")) for folder in groups(files, "cpu")[1]
        ),
        overheated=total(files.numbers(f"{CPUS}/cpu[0-9]*/thermal_throttle/core_throttle_count")),
    )


def core_ticks(files: Files) -> dict[int, list[int]]:
    """For each core: user, nice, system, idle, iowait, irq, softirq, steal, in ticks since the start."""
    found = (re.fullmatch(r"cpu([0-9]{1,6})((?: +[0-9]{1,20})+)", line) for line in files.lines("proc/stat"))
    return {int(each[1]): [int(number) for number in each[2].split()] for each in found if each}


def processes(files: Files) -> dict[tuple[int, str], Process]:
    """Every process, by its number and the time of its start: numbers come again."""
    found: dict[tuple[int, str], Process] = {}
    for folder in files.names("proc/[0-9]*"):
        head, _, tail = (files.text(f"{folder}/stat") or "").rpartition(")")
        pid, _, name = head.partition(" (")
        fields, number = tail.split(), natural(pid)
        if number is not None and len(fields) > 19:
            parent, ticks = natural(fields[1]) or 0, total(natural(field) for field in fields[11:15]) or 0
            found[number, fields[19]] = Process(name, parent, ticks)
    return found


def busy_shares(
    before: Mapping[tuple[int, str], Process], after: Mapping[tuple[int, str], Process], ticks: float
) -> list[Neighbour]:
    """The processes that used any CPU time between, the busiest first, each with its children that ended meanwhile.

    When a child ends, its parent's ticks grow by all of its own; what it had used before is taken off again.
    """
    ended: Counter[int] = Counter()
    for key, gone in before.items():
        ended[gone.parent] += gone.ticks if key not in after else 0
    found: list[Neighbour] = []
    for key, each in after.items():
        used = each.ticks - (before[key].ticks + ended[key[0]] if key in before else 0)
        if used > 0 and (share := per(used, ticks)):
            found.append(Neighbour(each.name, key[0], share))
    return sorted(found, key=lambda each: -each.cores)


def per(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return max(0.0, part / whole) if whole > 0 else None


def total(numbers: Iterable[int | None]) -> int | None:
    """The sum of what is known; None if nothing is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def moved(before: int | None, after: int | None) -> int | None:
    """How far a counter went."""
    return None if before is None or after is None else max(0, after - before)


def decimal(text: str | None) -> float | None:
    """The first number of a text such as `0.31 0.69 0.79 4/92 9515`."""
    found = re.match(r"[0-9]{1,9}\.[0-9]{1,9}", text or "")
    return float(found[0]) if found else None


def on_battery(files: Files) -> bool | None:
    """Whether a battery of the machine itself, not of a mouse, is being emptied."""
    if not files.has("sys/class/power_supply"):
        return None
    folders = files.names("sys/class/power_supply/*")
    batteries = [name for name in folders if files.text(f"{name}/type") == "Battery"]
    own = [name for name in batteries if files.text(f"{name}/scope") != "Device"]
    plugged = any(files.numbers("sys/class/power_supply/*/online"))
    return not plugged and any(files.text(f"{name}/status") == "Discharging" for name in own)


def clock(read: Callable[[], int] = time.perf_counter_ns, batches: int = 5, readings: int = 1000) -> Clock:
    """Read the clock again and again: the cost of one reading in the fastest batch, and the smallest step."""
    times = [[read() for _ in range(readings)] for _ in range(batches)]
    steps = [after - before for batch in times for before, after in pairwise(batch) if after > before]
    return Clock(min((batch[-1] - batch[0]) / (readings - 1) for batch in times), min(steps, default=None))


def storage(runs: Path) -> Storage:
    """Write a file without a name where runs will be kept: in that folder, or in the nearest above it that exists."""
    try:
        folder = next(path for path in (runs.absolute(), *runs.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=folder):
            return Storage(shutil.disk_usage(folder).free)
    except OSError as error:
        return Storage(None, error.strerror or type(error).__name__)


def delay_counted(files: Files) -> bool:
    """Whether the kernel counts how long a thread waited for a core: it then has counted that this one ran."""
    ran = (files.text("proc/self/schedstat") or "").partition(" ")[0]
    return bool(natural(ran))


def peak_resettable(files: Files) -> bool:
    """Whether the high-water mark of a process's memory can be read, and set back by writing to `clear_refs`."""
    marked = "VmHWM" in files.table("proc/self/status")
    try:
        # Only where it is: to write would make a new file in a root that is not the kernel's.
        return marked and files.has("proc/self/clear_refs") and files.path("proc/self/clear_refs").write_text("5") == 1
    except OSError:
        return False
