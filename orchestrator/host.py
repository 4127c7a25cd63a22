"""Fingerprint of the machine: the properties that a time may depend on.

A property that cannot be read is None. Outside Linux that is most of them.
"""

import contextlib
import importlib.metadata
import os
import platform
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import psutil

from orchestrator.probe import digest
from orchestrator.system import CPUS, ROOT, Files, natural, size, utf8
from schemas.record import Host, Unlimited

N = TypeVar("N", int, float)
CLOCKS = "sys/devices/system/clocksource/clocksource0"

# Variables that may change a time. Never record all variables: others hold secrets.
RECORDED = (
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "OMP_WAIT_POLICY",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_DYNAMIC",
    "OMP_SCHEDULE",
    "GOMP_CPU_AFFINITY",
    "GOMP_SPINCOUNT",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "MKL_DYNAMIC",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_THREADING_LAYER",
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_THREAD_TIMEOUT",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPY_DISABLE_CPU_FEATURES",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY",
    "ATEN_CPU_CAPABILITY",
    "PYTORCH_JIT",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TORCHDYNAMO_DISABLE",
    "TORCH_COMPILE_DISABLE",
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES",
    "TORCHINDUCTOR_FX_GRAPH_CACHE",
    "TORCHINDUCTOR_MAX_AUTOTUNE",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_USE_LEGACY_KERAS",
    "KERAS_BACKEND",
    "JAX_PLATFORMS",
    "JAX_ENABLE_X64",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_DISABLE_JIT",
    "PJRT_NPROC",
    "NPROC",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
    "XLA_CLIENT_MEM_FRACTION",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_CACHE_DISABLE",
    "NVIDIA_TF32_OVERRIDE",
    "LD_PRELOAD",
    "LD_BIND_NOW",
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "MALLOC_CONF",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
)

PACKAGES = (
    "torch",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "pydantic",
    "onnxruntime",
    "openvino",
)

# Flags of a CPU that decide which kernels a framework selects.
ARITHMETIC = re.compile(r"avx.*|fma.*|f16c|amx_.*|.*bf16|asimd.*|sve.*|sme(?!p$).*|i8mm")

# Traces that a hypervisor leaves in the firmware and the clocks of its guest.
HYPERVISORS = {
    "kvm": ("kvm", "google compute engine"),
    "hyper-v": ("hyperv", "virtual machine"),
    "vmware": ("vmware",),
    "virtualbox": ("virtualbox", "innotek"),
    "xen": ("xen",),
    "parallels": ("parallels",),
    "qemu": ("qemu",),
}

# A cgroup without a limit shows a number of at least this many bytes.
NO_LIMIT = 1 << 60


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
            "installed": installed(PACKAGES),
            "affinity": affinity,
            "swap_bytes": size(memory.get("SwapTotal")),
            "gpus": gpus(root) or None,
            "gpu_driver": driver(files),
        }
        | processor(files)
        | topology(files, affinity)
        | caches(files)
        | settings(files)
        | limits(files)
    )


def cores() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(psutil.cpu_count() or 1))


def cpu_model(source: Path = Path("/proc/cpuinfo")) -> str:
    """Return the CPU's model name, or the platform's name for it."""
    try:
        for line in source.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def step_aside(theirs: set[int]) -> None:
    """Move this process off the workers' cores, unless no core would be left."""
    ours = set(cores()) - theirs
    if ours and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, ours)


def allowed(files: Files) -> tuple[int, ...] | None:
    """Return the cores that the kernel lets this process use: `0-2,5` is 0, 1, 2 and 5."""
    said = files.table("proc/self/status").get("Cpus_allowed_list", "")
    ranges = re.findall(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", said)
    numbers = {number for low, high in ranges for number in range(int(low), int(high or low) + 1)}
    return tuple(sorted(numbers)) or None


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of the installed packages among these names, without importing any."""
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = str(importlib.metadata.version(name))
    return found


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return sixteen hexadecimal digits for each package; they are equal where the same wheel was unpacked.

    A package without the installer's list of files has no entry.
    """
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            if found_hash := digest(importlib.metadata.distribution(name).read_text("RECORD") or ""):
                found[name] = found_hash
    return found


def processor(files: Files) -> dict[str, object]:
    """Return the CPU's arithmetic flags, in the terms of x86 or ARM, and its microcode."""
    said = files.table("proc/cpuinfo")
    flags = said.get("flags") or said.get("Features")
    return {
        "microcode": said.get("microcode"),
        "cpu_flags": sorted(flag for flag in flags.split() if ARITHMETIC.fullmatch(flag)) if flags else None,
    }


def topology(files: Files, affinity: Collection[int] | None) -> dict[str, object]:
    """Count the online sockets, hardware threads (`logical_cores`) and cores. Threads of one core are siblings."""
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
    """Return the bytes of the first core's caches, shared or not. A hypervisor hides a cache by the size 0."""
    found: dict[int | None, int | None] = {}
    for folder in files.names(f"{CPUS}/cpu0/cache/index[0-9]*"):
        if files.text(f"{folder}/type") != "Instruction":
            found[files.number(f"{folder}/level")] = size(files.text(f"{folder}/size")) or None
    return {"l1d_bytes": found.get(1), "l2_bytes": found.get(2), "l3_bytes": found.get(3)}


def settings(files: Files) -> dict[str, object]:
    """Return the kernel's version and settings, and its hypervisor."""
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
    """Return the hypervisor's name, `unknown`, or `none` where an x86 CPU denies one. Others may not tell: None."""
    flags = files.table("proc/cpuinfo").get("flags")
    if flags is not None and "hypervisor" not in flags.split():
        return "none"
    places = (
        "sys/hypervisor/type",
        "sys/class/dmi/id/sys_vendor",
        "sys/class/dmi/id/product_name",
        f"{CLOCKS}/available_clocksource",
    )
    # The first match wins: a guest of KVM may name QEMU as well.
    seen = " ".join(files.text(name) or "" for name in places).lower()
    named = (name for name, marks in HYPERVISORS.items() if any(mark in seen for mark in marks))
    return next(named, "unknown" if flags is not None else None)


def turbo(files: Files) -> bool | None:
    """Return True if a core may exceed its nominal rate while it is cool and others idle."""
    if (forbidden := files.number(f"{CPUS}/intel_pstate/no_turbo")) is not None:
        return not forbidden
    allowing = files.numbers(f"{CPUS}/cpufreq/boost") or files.numbers(f"{CPUS}/cpufreq/policy*/boost")
    return any(allowing) if allowing else None


def gpus(root: Path = ROOT) -> list[str]:
    """Return the models of the GPUs that NVIDIA's driver lists."""
    files = Files(root)
    known = (files.table(name) for name in files.names("proc/driver/nvidia/gpus/*/information"))
    return [each.get("Model", "unknown") for each in known]


def driver(files: Files) -> str | None:
    """Return the version of NVIDIA's driver."""
    found = re.search(r"Module +([0-9.]+)", files.text("proc/driver/nvidia/version") or "")
    return found[1] if found else None


def limits(files: Files) -> dict[str, object]:
    """Return the limits that cgroups set for this process."""
    version, runners = groups(files, "cpu")
    _, holders = groups(files, "memory")
    sizes = (files.number(f"{folder}/{name}") for folder in holders for name in ("memory.max", "memory.limit_in_bytes"))
    return {
        "cgroup": version,
        "cpu_quota": tightest([quota for each in runners if (quota := quota_of(files, each))], runners),
        "memory_limit_bytes": tightest([limit for limit in sizes if limit is not None and limit < NO_LIMIT], holders),
    }


def tightest(found: Sequence[N], folders: Sequence[str]) -> N | Unlimited | None:
    """Return the smallest limit, or `unlimited` where no cgroup has one; None without cgroups."""
    return min(found) if found else ("unlimited" if folders else None)


def quota_of(files: Files, folder: str) -> float | None:
    """Return how many cores' time a cgroup itself allows; None if it sets no limit."""
    # Version 2 keeps quota and period in one file, version 1 in two.
    both = files.text(f"{folder}/cpu.max") or " ".join(
        files.text(f"{folder}/{name}") or "" for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    )
    quota, period = (natural(part) for part in both.partition(" ")[::2])
    return quota / period if quota and period else None


def groups(files: Files, controller: str) -> tuple[Literal["v1", "v2"] | None, list[str]]:
    """Return a controller's version and the readable folders of the cgroups around this process."""
    entries = [line.split(":", 2) for line in files.lines("proc/self/cgroup") if line.count(":") > 1]
    # On a hybrid system a controller belongs to version 1 if it is mounted there.
    for _, controllers, path in entries:
        if controller in controllers.split(","):
            return "v1", around(files, (controllers, controller), path)
    for _, controllers, path in entries:
        if not controllers:
            return "v2", around(files, (".", "unified"), path)
    return None, []


def around(files: Files, mounts: Iterable[str], path: str) -> list[str]:
    """Return a cgroup's folder and the folders above it, except missing ones.

    A container may see its host's path while its cgroup is mounted at the root.
    """
    readable = "cgroup.procs"
    mount = next((f"sys/fs/cgroup/{name}" for name in mounts if files.has(f"sys/fs/cgroup/{name}/{readable}")), None)
    parts = [part for part in path.split("/") if part not in ("", "..")]
    places = ["/".join((mount, *parts[:depth])) for depth in range(len(parts) + 1)] if mount else []
    return [place for place in places if files.has(f"{place}/{readable}")]
