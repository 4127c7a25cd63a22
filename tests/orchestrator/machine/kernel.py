"""A quiet machine of two cores, as its kernel's files describe it, for tests that change some of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

CPUS = "sys/devices/system/cpu"


CLOCKS = "sys/devices/system/clocksource/clocksource0"


POWER = "sys/class/power_supply"


CPUINFO = """\
processor	: 0
model name	: A Fast CPU @ 3 GHz
microcode	: 0x2b
flags		: fpu sse2 smep smap f16c fma avx avx2 avx512f avx512_bf16 amx_bf16 amx_tile

processor	: 1
model name	: Another
microcode	: 0x2c
"""


STAT = "cpu {0} 0 0 {1} 0 0 0 {2} 0 0\ncpu0 {0} 0 0 {1} 0 0 0 {2} 0 0\ncpu1 0 0 0 {3} 0 0 0 0 0 0\nintr 5\n"


# A quiet machine of two cores, as its kernel describes it.
MACHINE = {
    "proc/cpuinfo": CPUINFO,
    "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable:  8388608 kB\nSwapTotal:   1024 kB\n",
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Kernel Module  570.86  Tue Jan 1\nGCC version: 12\n",
    "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA H100\nIRQ:   \t\t 90\n",
    "proc/loadavg": "0.31 0.69 0.79 4/92 9515\n",
    "proc/pressure/cpu": "some avg10=0.36 avg60=0.45 avg300=2.85 total=1000000\nfull avg10=0.00 total=0\n",
    "proc/vmstat": "nr_free_pages 5\npswpin 10\npswpout 20\n",
    "proc/stat": STAT.format(100, 1000, 7, 2000),
    "proc/sys/kernel/osrelease": "6.1.0\n",
    "proc/sys/kernel/version": "#1 SMP\n",
    "proc/sys/kernel/randomize_va_space": "2\n",
    "proc/self/status": "Name:\tpython\nVmHWM:\t  9000 kB\nCpus_allowed_list:\t0-1\n",
    "proc/self/schedstat": "443902 45117 1\n",
    "proc/self/clear_refs": "",
    "proc/self/cgroup": "0::/user/me\n",
    "sys/fs/cgroup/cgroup.procs": "",
    "sys/fs/cgroup/user/cgroup.procs": "",
    "sys/fs/cgroup/user/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/user/cpu.stat": "usage_usec 5\nnr_throttled 3\n",
    "sys/fs/cgroup/user/memory.max": "1073741824\n",
    "sys/fs/cgroup/user/me/cgroup.procs": "",
    "sys/fs/cgroup/user/me/cpu.max": "max 100000\n",
    "sys/fs/cgroup/user/me/cpu.stat": "usage_usec 5\nnr_throttled 4\n",
    "sys/fs/cgroup/user/me/memory.max": "max\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    f"{CLOCKS}/current_clocksource": "tsc\n",
    f"{CLOCKS}/available_clocksource": "tsc hpet acpi_pm\n",
    f"{CPUS}/intel_pstate/no_turbo": "1\n",
    f"{CPUS}/smt/active": "0\n",
    f"{CPUS}/cpu0/cache/index0/level": "1\n",
    f"{CPUS}/cpu0/cache/index0/type": "Data\n",
    f"{CPUS}/cpu0/cache/index0/size": "48K\n",
    f"{CPUS}/cpu0/cache/index1/level": "1\n",
    f"{CPUS}/cpu0/cache/index1/type": "Instruction\n",
    f"{CPUS}/cpu0/cache/index1/size": "32K\n",
    f"{CPUS}/cpu0/cache/index2/level": "2\n",
    f"{CPUS}/cpu0/cache/index2/type": "Unified\n",
    f"{CPUS}/cpu0/cache/index2/size": "2048K\n",
    f"{CPUS}/cpu0/cache/index3/level": "3\n",
    f"{CPUS}/cpu0/cache/index3/type": "Unified\n",
    f"{CPUS}/cpu0/cache/index3/size": "32M\n",
    **{f"{CPUS}/cpu{n}/cpufreq/scaling_governor": "performance\n" for n in (0, 1)},
    **{f"{CPUS}/cpu{n}/topology/physical_package_id": "0\n" for n in (0, 1)},
    **{f"{CPUS}/cpu{n}/topology/thread_siblings_list": f"{n}\n" for n in (0, 1)},
    **{f"{CPUS}/cpu{n}/thermal_throttle/core_throttle_count": "2\n" for n in (0, 1)},
}


Texts = Mapping[str, str | None]


Build = Callable[..., Path]


def write(root: Path, files: Texts) -> Path:
    """Make these files below a root; None removes one."""
    for name, text in files.items():
        path = root.joinpath(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
    return root
