"""Fingerprint of the machine: the properties that a time may depend on.

A property that cannot be read is None. Outside Linux that is most of them.
"""

import contextlib
import importlib.metadata
import os
import platform
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import psutil

from orchestrator.machine.affinity import list_cores, read_affinity
from orchestrator.machine.cgroups import describe_limits
from orchestrator.machine.interpreter_probe import hash_record
from orchestrator.machine.kernel_files import CPU_FOLDER, ROOT, KernelFiles, parse_bytes, parse_natural, to_utf8
from schemas.catalog import FRAMEWORKS
from schemas.record import Host

CLOCK_FOLDER = "sys/devices/system/clocksource/clocksource0"

# Variables that may change a time. Never record all variables: others hold secrets.
RECORDED_VARIABLES = (
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

# SciPy computes for JAX and for some references, Pydantic reads what a worker is sent.
RECORDED_PACKAGES = tuple(
    dict.fromkeys((*(name for each in FRAMEWORKS for name in each.distributions), "scipy", "pydantic"))
)

# Flags of a CPU that decide which kernels a framework selects.
ARITHMETIC_FLAGS = re.compile(r"avx.*|fma.*|f16c|amx_.*|.*bf16|asimd.*|sve.*|sme(?!p$).*|i8mm")

# Traces that a hypervisor leaves in the firmware and the clocks of its guest.
HYPERVISOR_TRACES = {
    "kvm": ("kvm", "google compute engine"),
    "hyper-v": ("hyperv", "virtual machine"),
    "vmware": ("vmware",),
    "virtualbox": ("virtualbox", "innotek"),
    "xen": ("xen",),
    "parallels": ("parallels",),
    "qemu": ("qemu",),
}


def take_fingerprint(variables: Mapping[str, str] = os.environ, root: Path = ROOT) -> Host:
    """Describe this machine."""
    files = KernelFiles(root)
    affinity = read_affinity(files)
    memory = files.read_table("proc/meminfo")
    return Host.model_validate(
        {
            "cpu": read_cpu_model(files.to_path("proc/cpuinfo")),
            "cores": len(affinity or list_cores()),
            "memory_bytes": parse_bytes(memory.get("MemTotal")) or psutil.virtual_memory().total,
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "python": platform.python_version(),
            "variables": {name: to_utf8(variables[name]) for name in RECORDED_VARIABLES if name in variables},
            "packages": read_versions(RECORDED_PACKAGES),
            "installed": read_install_hashes(RECORDED_PACKAGES),
            "affinity": affinity,
            "swap_bytes": parse_bytes(memory.get("SwapTotal")),
            "gpus": list_gpus(root) or None,
            "gpu_driver": read_driver_version(files),
        }
        | describe_processor(files)
        | describe_topology(files, affinity)
        | describe_caches(files)
        | describe_settings(files)
        | describe_limits(files)
    )


def read_cpu_model(source: Path = Path("/proc/cpuinfo")) -> str:
    """Return the CPU's model name, or the platform's name for it."""
    try:
        for line in source.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def read_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of the installed packages among these names, without importing any."""
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = str(importlib.metadata.version(name))
    return found


def read_install_hashes(names: Iterable[str]) -> dict[str, str]:
    """Return sixteen hexadecimal digits for each package; they are equal where the same wheel was unpacked.

    A package without the installer's list of files has no entry.
    """
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            if found_hash := hash_record(importlib.metadata.distribution(name).read_text("RECORD") or ""):
                found[name] = found_hash
    return found


def describe_processor(files: KernelFiles) -> dict[str, object]:
    """Return the CPU's arithmetic flags, in the terms of x86 or ARM, and its microcode."""
    said = files.read_table("proc/cpuinfo")
    flags = said.get("flags") or said.get("Features")
    return {
        "microcode": said.get("microcode"),
        "cpu_flags": sorted(flag for flag in flags.split() if ARITHMETIC_FLAGS.fullmatch(flag)) if flags else None,
    }


def describe_topology(files: KernelFiles, affinity: Collection[int] | None) -> dict[str, object]:
    """Count the online sockets, hardware threads (`logical_cores`) and cores. Threads of one core are siblings."""
    folders = files.list_names(f"{CPU_FOLDER}/cpu[0-9]*/topology")
    siblings = {
        parse_natural(name.split("/")[-2][3:]): files.read_text(f"{name}/thread_siblings_list") for name in folders
    }
    usable = {group for number, group in siblings.items() if affinity is None or number in affinity}
    physical = len({*siblings.values()} - {None})
    active = files.read_number(f"{CPU_FOLDER}/smt/active")
    return {
        "sockets": len(set(files.read_numbers(f"{CPU_FOLDER}/cpu[0-9]*/topology/physical_package_id"))) or None,
        "logical_cores": len(folders) or None,
        "physical_cores": physical or None,
        "usable_physical_cores": len(usable - {None}) or None,
        "smt": bool(active) if active is not None else (len(folders) > physical if physical else None),
    }


def describe_caches(files: KernelFiles) -> dict[str, object]:
    """Return the bytes of the first core's caches, shared or not. A hypervisor hides a cache by the size 0."""
    found: dict[int | None, int | None] = {}
    for folder in files.list_names(f"{CPU_FOLDER}/cpu0/cache/index[0-9]*"):
        if files.read_text(f"{folder}/type") != "Instruction":
            found[files.read_number(f"{folder}/level")] = parse_bytes(files.read_text(f"{folder}/size")) or None
    return {"l1d_bytes": found.get(1), "l2_bytes": found.get(2), "l3_bytes": found.get(3)}


def describe_settings(files: KernelFiles) -> dict[str, object]:
    """Return the kernel's version and settings, and its hypervisor."""
    # Cores may differ in their governor, so all are named.
    governors = {files.read_text(name) for name in files.list_names(f"{CPU_FOLDER}/cpu[0-9]*/cpufreq/scaling_governor")}
    chosen = re.search(r"\[(\w+)\]", files.read_text("sys/kernel/mm/transparent_hugepage/enabled") or "")
    kernel = (files.read_text("proc/sys/kernel/osrelease"), files.read_text("proc/sys/kernel/version"))
    return {
        "kernel": " ".join(filter(None, kernel)) or None,
        "hypervisor": detect_hypervisor(files),
        "clocksource": files.read_text(f"{CLOCK_FOLDER}/current_clocksource"),
        "governor": ", ".join(sorted(filter(None, governors))) or None,
        "turbo": is_turbo_enabled(files),
        "huge_pages": chosen[1] if chosen else None,
        "aslr": files.read_number("proc/sys/kernel/randomize_va_space"),
    }


def detect_hypervisor(files: KernelFiles) -> str | None:
    """Return the hypervisor's name, `unknown`, or `none` where an x86 CPU denies one. Others may not tell: None."""
    flags = files.read_table("proc/cpuinfo").get("flags")
    if flags is not None and "hypervisor" not in flags.split():
        return "none"
    places = (
        "sys/hypervisor/type",
        "sys/class/dmi/id/sys_vendor",
        "sys/class/dmi/id/product_name",
        f"{CLOCK_FOLDER}/available_clocksource",
    )
    # The first match wins: a guest of KVM may name QEMU as well.
    seen = " ".join(files.read_text(name) or "" for name in places).lower()
    named = (name for name, marks in HYPERVISOR_TRACES.items() if any(mark in seen for mark in marks))
    return next(named, "unknown" if flags is not None else None)


def is_turbo_enabled(files: KernelFiles) -> bool | None:
    """Return True if a core may exceed its nominal rate while it is cool and others idle."""
    if (forbidden := files.read_number(f"{CPU_FOLDER}/intel_pstate/no_turbo")) is not None:
        return not forbidden
    allowing = files.read_numbers(f"{CPU_FOLDER}/cpufreq/boost") or files.read_numbers(
        f"{CPU_FOLDER}/cpufreq/policy*/boost"
    )
    return any(allowing) if allowing else None


def list_gpus(root: Path = ROOT) -> list[str]:
    """Return the models of the GPUs that NVIDIA's driver lists."""
    files = KernelFiles(root)
    known = (files.read_table(name) for name in files.list_names("proc/driver/nvidia/gpus/*/information"))
    return [each.get("Model", "unknown") for each in known]


def read_driver_version(files: KernelFiles) -> str | None:
    """Return the version of NVIDIA's driver."""
    found = re.search(r"Module +([0-9.]+)", files.read_text("proc/driver/nvidia/version") or "")
    return found[1] if found else None
