import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.machine import affinity, fingerprint
from schemas.record import Host
from tests.orchestrator.machine.kernel import CLOCKS, CPUINFO, CPUS, MACHINE, STAT, Build, Texts, write
from tests.orchestrator.machine.test_activity import watch


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


TEXTS = st.one_of(st.text(), st.sampled_from(["0", "-1", "max", "9" * 30, "0-99999", "0 0", "0K", "some total=", "::"]))


@pytest.mark.long
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
