import os
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.machine import activity, affinity, fingerprint
from orchestrator.machine.activity import Activity, BusyProcess, ClockQuality, Storage
from orchestrator.machine.kernel_files import KernelFiles
from schemas.record import Host

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


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return the quiet machine with some files changed, as a root."""

    def made(changes: Texts | None = None) -> Path:
        return write(tmp_path, MACHINE | dict(changes or {}))

    return made


def watch(root: Path, meanwhile: Texts | None = None) -> Activity:
    """Observe a machine while these of its files change."""

    def wait() -> None:
        write(root, meanwhile or {})

    return activity.observe_activity(root, root, wait)


def process(
    name: str, ticks: int, *, started: int = 5, pid: int = 7, parent: int = 1, reaped: int = 0
) -> dict[str, str | None]:
    """Make a process with this CPU time, half of it in the kernel, and a secret among its arguments."""
    times = (ticks - ticks // 2, ticks // 2, reaped - reaped // 2, reaped // 2)
    fields = ("S", parent, *"0" * 9, *times, *"0" * 4, started, 0)
    return {
        f"proc/{pid}/stat": f"{pid} ({name}) {' '.join(map(str, fields))}\n",
        f"proc/{pid}/cmdline": "x --token=secret",
    }


# The fingerprint


def test_this_machine_has_a_fingerprint() -> None:
    found = fingerprint.take_fingerprint()
    assert found.cpu
    assert found.cores == len(affinity.list_cores())
    assert found.memory_bytes > 1 << 20


def test_everything_that_the_kernel_says_is_in_the_fingerprint(build: Build) -> None:
    said = fingerprint.take_fingerprint({}, build()).model_dump(exclude={"system", "python", "packages", "installed"})
    assert said == {
        "cpu": "A Fast CPU @ 3 GHz",
        "cores": 2,
        "memory_bytes": 16 << 30,
        "variables": {},
        "microcode": "0x2b",
        "cpu_flags": ("amx_bf16", "amx_tile", "avx", "avx2", "avx512_bf16", "avx512f", "f16c", "fma"),
        "sockets": 1,
        "logical_cores": 2,
        "physical_cores": 2,
        "usable_physical_cores": 2,
        "smt": False,
        "l1d_bytes": 48 << 10,
        "l2_bytes": 2 << 20,
        "l3_bytes": 32 << 20,
        "kernel": "6.1.0 #1 SMP",
        "hypervisor": "none",
        "clocksource": "tsc",
        "governor": "performance",
        "turbo": False,
        "huge_pages": "madvise",
        "aslr": 2,
        "affinity": (0, 1),
        "cgroup": "v2",
        "cpu_quota": 1.5,
        "memory_limit_bytes": 1 << 30,
        "swap_bytes": 1 << 20,
        "gpus": ("NVIDIA H100",),
        "gpu_driver": "570.86",
    }


def test_what_cannot_be_read_is_unknown_and_not_invented(tmp_path: Path) -> None:
    found = fingerprint.take_fingerprint({}, tmp_path)
    known = {name for name, value in found if value is not None}
    assert known == {"cpu", "cores", "memory_bytes", "system", "python", "variables", "packages", "installed"}


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"proc/cpuinfo": "Features\t: fp asimd sve bf16 i8mm crc32\n"}, "cpu_flags", ("asimd", "bf16", "i8mm", "sve")),
        ({f"{CPUS}/cpu1/cpufreq/scaling_governor": "powersave"}, "governor", "performance, powersave"),
        ({f"{CPUS}/intel_pstate/no_turbo": "0"}, "turbo", True),
        ({f"{CPUS}/intel_pstate/no_turbo": None, f"{CPUS}/cpufreq/boost": "1"}, "turbo", True),
        ({f"{CPUS}/intel_pstate/no_turbo": None, f"{CPUS}/cpufreq/policy0/boost": "0"}, "turbo", False),
        ({f"{CPUS}/intel_pstate/no_turbo": None}, "turbo", None),
        ({f"{CPUS}/cpu0/cache/index3/size": "0K"}, "l3_bytes", None),
        ({f"{CPUS}/cpu1/topology/physical_package_id": "1"}, "sockets", 2),
        ({"proc/self/status": "Cpus_allowed_list:\t1,4-6\n"}, "affinity", (1, 4, 5, 6)),
        ({"proc/self/status": "Cpus_allowed_list:\t1\n"}, "usable_physical_cores", 1),
        ({"sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never"}, "huge_pages", "always"),
        ({"proc/sys/kernel/randomize_va_space": "0"}, "aslr", 0),
    ],
)
def test_a_setting_is_read_where_the_kernel_keeps_it(build: Build, changes: Texts, field: str, value: object) -> None:
    assert getattr(fingerprint.take_fingerprint({}, build(changes)), field) == value


@pytest.mark.parametrize("active", ["1", None])
def test_threads_of_one_core_are_siblings_whether_or_not_the_kernel_has_a_word_for_it(
    build: Build, active: str | None
) -> None:
    shared = {f"{CPUS}/cpu{n}/topology/thread_siblings_list": "0-1" for n in (0, 1)}
    found = fingerprint.take_fingerprint({}, build(shared | {f"{CPUS}/smt/active": active}))
    assert (found.smt, found.logical_cores, found.physical_cores, found.usable_physical_cores) == (True, 2, 1, 1)


@pytest.mark.parametrize(
    ("flags", "files", "name"),
    [
        ("sse2", {"sys/class/dmi/id/product_name": "Virtual Machine"}, "none"),
        ("sse2 hypervisor", {}, "unknown"),
        ("sse2 hypervisor", {f"{CLOCKS}/available_clocksource": "tsc kvm-clock"}, "kvm"),
        ("sse2 hypervisor", {"sys/class/dmi/id/sys_vendor": "VMware, Inc."}, "vmware"),
        ("sse2 hypervisor", {"sys/class/dmi/id/product_name": "Virtual Machine"}, "hyper-v"),
        ("sse2 hypervisor", {"sys/hypervisor/type": "xen"}, "xen"),
    ],
)
def test_a_guest_knows_whose_it_is(build: Build, flags: str, files: Texts, name: str) -> None:
    root = build({"proc/cpuinfo": f"model name : CPU\nflags : {flags}\n"} | dict(files))
    assert fingerprint.take_fingerprint({}, root).hypervisor == name


def test_a_cpu_that_cannot_deny_a_hypervisor_is_not_taken_for_bare_metal(build: Build) -> None:
    assert fingerprint.take_fingerprint({}, build({"proc/cpuinfo": "Features : asimd\n"})).hypervisor is None


V1 = "5:cpu,cpuacct:/box\n4:memory:/box\n0::/ignored\n"


@pytest.mark.parametrize(
    ("files", "version", "quota", "limit"),
    [
        ({"proc/self/cgroup": "0::/user\n"}, "v2", 1.5, 1 << 30),
        ({"sys/fs/cgroup/user/me/cpu.max": "120000 100000"}, "v2", 1.2, 1 << 30),
        ({"sys/fs/cgroup/user/me/cpu.max": "180000 100000"}, "v2", 1.5, 1 << 30),
        ({"proc/self/cgroup": "0::/\n"}, "v2", "unlimited", "unlimited"),
        # A container that sees its host's path finds its cgroup at the root.
        ({"proc/self/cgroup": "0::/docker/abc\n", "sys/fs/cgroup/cpu.max": "50000 100000"}, "v2", 0.5, "unlimited"),
        ({"proc/self/cgroup": "0::/../user\n"}, "v2", 1.5, 1 << 30),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/box/cgroup.procs": "",
                "sys/fs/cgroup/cpu,cpuacct/cgroup.procs": "",
                "sys/fs/cgroup/memory/cgroup.procs": "",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "250000",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            },
            "v1",
            2.5,
            "unlimited",
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cgroup.procs": "",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            "v1",
            "unlimited",
            None,
        ),
        ({"proc/self/cgroup": V1}, "v1", None, None),
        ({"proc/self/cgroup": None}, None, None, None),
    ],
)
def test_the_tightest_limit_of_all_control_groups_counts(
    build: Build, files: Texts, version: str | None, quota: object, limit: object
) -> None:
    found = fingerprint.take_fingerprint({}, build(files))
    assert (found.cgroup, found.cpu_quota, found.memory_limit_bytes) == (version, quota, limit)


def test_secrets_among_the_variables_are_not_recorded(build: Build) -> None:
    secrets = {"TOKEN": "secret", "AWS_SECRET_ACCESS_KEY": "secret", "TF_CLI_ARGS": "secret", "OMP_TOKEN": "secret"}
    found = fingerprint.take_fingerprint({"OMP_NUM_THREADS": "1"} | secrets, build())
    assert found.variables == {"OMP_NUM_THREADS": "1"}
    assert "secret" not in found.model_dump_json()


def test_a_variable_that_is_no_text_does_not_spoil_the_record() -> None:
    found = fingerprint.take_fingerprint({"LD_PRELOAD": os.fsdecode(b"/lib/\xff.so")})
    assert found.variables == {"LD_PRELOAD": "/lib/�.so"}
    assert Host.model_validate_json(found.model_dump_json()) == found


def test_versions_are_those_of_what_is_installed() -> None:
    assert fingerprint.read_versions(["pydantic", "no-such-package"]).keys() == {"pydantic"}


def test_the_cpu_is_called_what_it_calls_itself(tmp_path: Path) -> None:
    source = tmp_path / "cpuinfo"
    source.write_text("processor : 0\nmodel name\t: A Fast CPU @ 3 GHz\nmodel name\t: Another\n")
    assert fingerprint.read_cpu_model(source) == "A Fast CPU @ 3 GHz"


def test_a_machine_without_cpuinfo_has_a_name_all_the_same(tmp_path: Path) -> None:
    assert fingerprint.read_cpu_model(tmp_path / "nothing")


RECORD = """\
made_up/core.so,sha256=aaaa,4096
made_up/__init__.py,sha256=bbbb,12
made_up-1.0.dist-info/METADATA,sha256=cccc,90
made_up-1.0.dist-info/RECORD,,
"""

Install = Callable[[str | None], str | None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with this RECORD, and return its hash in the fingerprint."""
    monkeypatch.syspath_prepend(tmp_path)

    def installed(record: str | None) -> str | None:
        metadata = "made_up-1.0.dist-info/METADATA"
        write(tmp_path, {metadata: "Name: made-up\nVersion: 1.0\n", "made_up-1.0.dist-info/RECORD": record})
        return fingerprint.read_install_hashes(["made-up", "not-there"]).get("made-up")

    return installed


def test_two_builds_of_one_version_are_told_apart(install: Install) -> None:
    assert install(RECORD) != install(RECORD.replace("aaaa", "dddd"))


@pytest.mark.parametrize(
    "record",
    [
        "".join(sorted(RECORD.splitlines(keepends=True))),
        RECORD + "made_up/__pycache__/__init__.cpython-311.pyc,,\n",
        RECORD + "../../../bin/made-up,sha256=eeee,228\n",
        RECORD + "made_up-1.0.dist-info/INSTALLER,sha256=ffff,2\n",
        RECORD.replace("\n", "\r\n"),
    ],
)
def test_it_does_not_matter_where_or_by_whom_a_wheel_was_unpacked(install: Install, record: str) -> None:
    assert record != RECORD
    assert install(record) == install(RECORD)


@pytest.mark.parametrize("record", [None, ""])
def test_a_package_without_a_list_of_its_files_has_no_hash(install: Install, record: str | None) -> None:
    assert install(record) is None


def test_what_is_installed_is_hashed_for_every_version_that_is_known() -> None:
    found = fingerprint.take_fingerprint()
    assert found.installed
    assert found.installed.keys() <= found.packages.keys()
    assert all(len(digest) == 16 for digest in found.installed.values())


def test_a_parent_that_would_be_left_without_a_core_stays_where_it_is() -> None:
    before = affinity.list_cores()
    with affinity.avoid_cores(before):
        assert affinity.list_cores() == before


@pytest.mark.skipif(len(affinity.list_cores()) < 2, reason="there is one core")
def test_a_parent_leaves_the_cores_of_its_workers_only_while_they_are_measured() -> None:
    before = affinity.list_cores()
    with affinity.avoid_cores(before[:1]):
        assert affinity.list_cores() == before[1:]
    assert affinity.list_cores() == before


# The hash


@pytest.mark.parametrize(
    "changes",
    [
        {"proc/cpuinfo": CPUINFO.replace("Fast", "Faster")},
        {"proc/cpuinfo": CPUINFO.replace("0x2b", "0x2d")},
        {"proc/cpuinfo": CPUINFO.replace("avx512f", "")},
        {"proc/self/status": "Cpus_allowed_list: 1\n"},
        {f"{CPUS}/cpu0/cpufreq/scaling_governor": "powersave"},
        {f"{CPUS}/intel_pstate/no_turbo": "0"},
        {f"{CLOCKS}/current_clocksource": "hpet"},
        {"sys/fs/cgroup/user/cpu.max": "max 100000"},
    ],
)
def test_the_hash_changes_with_what_a_time_depends_on(build: Build, changes: Texts) -> None:
    before = fingerprint.take_fingerprint({}, build()).content_hash
    assert fingerprint.take_fingerprint({}, build(changes)).content_hash != before


def test_the_hash_changes_with_a_framework_and_with_a_variable_of_its_own(build: Build) -> None:
    plain = fingerprint.take_fingerprint({}, build()).model_copy(
        update={"packages": {"torch": "2.0", "pydantic": "2.0"}}
    )
    newer = plain.model_copy(update={"packages": {"torch": "2.1", "pydantic": "2.0"}})
    ours = plain.model_copy(update={"packages": {"torch": "2.0", "pydantic": "2.1"}})
    told = plain.model_copy(update={"variables": {"OMP_NUM_THREADS": "1"}})
    built = plain.model_copy(update={"installed": {"torch": "20fa542b1d10b8c7", "pydantic": "86c6c690206b8e1a"}})
    parsed = built.model_copy(update={"installed": {"torch": "20fa542b1d10b8c7", "pydantic": "144e8b8f77b6f53c"}})
    assert len({each.content_hash for each in (plain, newer, told, built)}) == 4
    assert plain.content_hash == ours.content_hash
    assert built.content_hash == parsed.content_hash


def test_the_hash_does_not_change_with_the_load_nor_with_memory_that_is_not_felt(build: Build) -> None:
    before = fingerprint.take_fingerprint({}, build()).content_hash
    busier = {
        "proc/loadavg": "9.00 9.00 9.00 1/2 3",
        "proc/stat": STAT.format(9000, 1000, 9, 2000),
        "proc/pressure/cpu": "some total=99",
        "sys/fs/cgroup/user/cpu.stat": "nr_throttled 99",
        "proc/meminfo": "MemTotal: 16777000 kB\nMemAvailable: 5 kB\nSwapTotal: 0 kB\n",
        f"{CPUS}/cpu0/thermal_throttle/core_throttle_count": "99",
    }
    assert fingerprint.take_fingerprint({}, build(busier)).content_hash == before


def test_the_hash_is_the_same_in_every_process_and_version_and_after_a_way_through_json() -> None:
    known = Host(cpu="a CPU", cores=2, memory_bytes=1 << 30, system="Linux", python="3.11.0")
    assert Host.model_validate_json(known.model_dump_json()).content_hash == known.content_hash == "b1ca0fc8"


# The activity


def test_a_quiet_machine_is_seen_to_be_quiet(build: Build) -> None:
    now = watch(build(), {"proc/stat": STAT.format(100, 1100, 7, 2100)})
    assert (now.load, now.others_cores, now.busiest, now.steal_share) == (0.31, 0.0, (), 0.0)
    assert (now.pressure_share, now.swapped_pages, now.on_battery) == (0.0, 0, None)
    assert (now.throttled, now.throttled_before, now.overheated, now.overheated_before) == (0, 7, 0, 4)
    assert now.memory_available_bytes == 8 << 30
    assert (now.delay_counted, now.peak_resettable) == (True, True)


def test_what_others_use_is_all_that_is_used_less_our_own(build: Build) -> None:
    root = build(process("python", 100, pid=os.getpid()))
    later = {"proc/stat": STAT.format(190, 1010, 7, 2100)} | process("python", 120, pid=os.getpid())
    now = watch(root, later)
    assert now.others_cores == pytest.approx(0.7)
    assert now.busiest == ()


def test_time_in_the_kernel_and_in_interrupts_is_used_and_waiting_for_a_disk_is_not(build: Build) -> None:
    #        user nice system idle iowait irq softirq steal
    root = build({"proc/stat": "cpu0 0 0 0 0 0 0 0 0 0 0\n"})
    now = watch(root, {"proc/stat": "cpu0 10 20 5 30 22 4 6 3 10 0\n"})
    assert now.others_cores == pytest.approx(0.45)
    assert now.steal_share == pytest.approx(0.03)


def test_only_cores_that_can_be_used_count(build: Build) -> None:
    root = build({"proc/self/status": "Cpus_allowed_list: 1\n"})
    assert watch(root, {"proc/stat": STAT.format(200, 1000, 7, 2100)}).others_cores == 0


def test_the_busiest_processes_are_named_and_their_arguments_are_not(build: Build) -> None:
    ticks = {"a) R (b": 30, "cc1plus": 90, "idle": 0, "c": 1, "d": 2}
    before = [process(name, 1000, pid=pid) for pid, name in enumerate(ticks, 40)]
    after = [process(name, 1000 + gone, pid=pid) for pid, (name, gone) in enumerate(ticks.items(), 40)]
    now = watch(build(ChainMap(*before)), {"proc/stat": STAT.format(190, 1010, 7, 2100)} | ChainMap(*after))
    assert now.busiest == (BusyProcess("cc1plus", 41, 0.9), BusyProcess("a) R (b", 40, 0.3), BusyProcess("d", 44, 0.02))
    assert "secret" not in repr(now)


def test_a_process_that_started_meanwhile_has_used_all_its_time_since(build: Build) -> None:
    later = {"proc/stat": STAT.format(190, 1010, 7, 2100)} | process("new", 40, started=99)
    assert watch(build(process("old", 500)), later).busiest == (BusyProcess("new", 7, 0.4),)


def test_short_lived_processes_are_found_by_what_their_parent_has_reaped(build: Build) -> None:
    root = build(process("make", 10, pid=7, reaped=100) | process("cc1", 30, pid=8, parent=7))
    later = {"proc/stat": STAT.format(190, 1010, 7, 2100), "proc/8/stat": None}
    assert watch(root, later | process("make", 10, pid=7, reaped=200)).busiest == (BusyProcess("make", 7, 0.7),)


def test_what_the_hypervisor_takes_is_a_share_of_all_cores(build: Build) -> None:
    assert watch(build(), {"proc/stat": STAT.format(100, 1090, 17, 2100)}).steal_share == pytest.approx(0.05)


def test_counters_tell_what_happened_meanwhile(build: Build) -> None:
    second = activity.TICKS_PER_S
    later = {
        "proc/stat": STAT.format(100, 1000 + second, 7, 2000 + second),
        "proc/pressure/cpu": "some avg10=0 total=1250000\n",
        "proc/vmstat": "pswpin 11\npswpout 24\n",
        "sys/fs/cgroup/user/me/cpu.stat": "nr_throttled 9\n",
        f"{CPUS}/cpu1/thermal_throttle/core_throttle_count": "8",
    }
    now = watch(build(), later)
    assert now.pressure_share == pytest.approx(0.25)
    assert (now.swapped_pages, now.throttled, now.overheated) == (5, 5, 6)


def test_no_time_passed_is_no_share_of_anything(build: Build) -> None:
    now = watch(build())
    assert (now.others_cores, now.steal_share, now.pressure_share) == (None, None, None)


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        ({"BAT0/type": "Battery", "BAT0/status": "Discharging"}, True),
        ({"BAT0/type": "Battery", "BAT0/status": "Discharging", "AC/type": "Mains", "AC/online": "0"}, True),
        ({"BAT0/type": "Battery", "BAT0/status": "Discharging", "AC/type": "Mains", "AC/online": "1"}, False),
        ({"BAT0/type": "Battery", "BAT0/status": "Full"}, False),
        ({"mouse/type": "Battery", "mouse/status": "Discharging", "mouse/scope": "Device"}, False),
        ({"AC/type": "Mains", "AC/online": "1"}, False),
    ],
)
def test_a_battery_counts_if_it_feeds_the_machine(build: Build, files: dict[str, str], answer: bool) -> None:
    assert watch(build({f"{POWER}/{name}": text for name, text in files.items()})).on_battery is answer


@pytest.mark.parametrize("schedstat", ["0 0 0\n", "", None])
def test_a_kernel_that_does_not_count_waiting_is_found_out(build: Build, schedstat: str | None) -> None:
    assert not watch(build({"proc/self/schedstat": schedstat})).delay_counted


def test_a_kernel_that_cannot_set_peaks_back_is_found_out_and_nothing_is_written(build: Build) -> None:
    root = build({"proc/self/clear_refs": None})
    assert not watch(root).peak_resettable
    assert not (root / "proc/self/clear_refs").exists()
    write(root, {"proc/self/clear_refs": "", "proc/self/status": "VmRSS: 5 kB\n"})
    assert not watch(root).peak_resettable


def clock_of(times: list[int]) -> Callable[[], int]:
    readings: Iterator[int] = iter(times)
    return lambda: next(readings)


def test_a_clock_costs_what_its_fastest_batch_costs_and_steps_as_finely_as_it_was_seen_to() -> None:
    slow, fast = [0, 300, 600, 1200], [2000, 2000, 2100, 2150]
    assert activity.measure_clock(clock_of(slow + fast), batches=2, readings=4) == ClockQuality(cost_ns=50, step_ns=50)


def test_a_clock_that_does_not_move_has_no_step() -> None:
    assert activity.measure_clock(clock_of([5] * 4), batches=1, readings=4) == ClockQuality(cost_ns=0, step_ns=None)


def test_a_folder_for_runs_is_tried_and_neither_made_nor_left_littered(tmp_path: Path) -> None:
    kept = activity.check_storage(tmp_path / "not" / "yet")
    assert kept.refusal == ""
    assert kept.free_bytes
    assert list(tmp_path.iterdir()) == []


def test_runs_that_cannot_be_written_have_the_reason_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert activity.check_storage(tmp_path / "file") == Storage(None, "Not a directory")


def test_a_machine_that_shows_nothing_can_be_watched(tmp_path: Path) -> None:
    now = watch(tmp_path / "nothing")
    assert (now.load, now.others_cores, now.throttled, now.memory_available_bytes) == (None,) * 4
    assert (now.on_battery, now.delay_counted, now.peak_resettable) == (None, False, False)


def test_this_machine_can_be_watched(tmp_path: Path) -> None:
    now = activity.observe_activity(tmp_path, wait=lambda: None)
    assert now.storage.refusal == ""
    assert now.clock.cost_ns > 0


TEXTS = st.one_of(st.text(), st.sampled_from(["0", "-1", "max", "9" * 30, "0-99999", "0 0", "0K", "some total=", "::"]))


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(sorted(MACHINE)), TEXTS, min_size=1, max_size=8))
def test_whatever_the_files_say_the_machine_is_described(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]
) -> None:
    root = tmp_path_factory.getbasetemp().joinpath("any")
    write(root, files if root.exists() else MACHINE | files)
    found = fingerprint.take_fingerprint({}, root)
    assert Host.model_validate_json(found.model_dump_json()) == found
    assert watch(root).clock.cost_ns >= 0
    write(root, {name: MACHINE[name] for name in files})


def test_names_are_sorted_and_those_of_an_unknown_place_are_none(tmp_path: Path) -> None:
    write(tmp_path, {"b/x": "", "a/x": ""})
    assert KernelFiles(tmp_path).list_names("*/x") == ["a/x", "b/x"]
    assert KernelFiles(tmp_path / "nothing").list_names("*") == []
