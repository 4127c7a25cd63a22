"""Limits that cgroups set, read from made-up trees of both versions."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.machine import fingerprint
from orchestrator.machine.cgroups import (
    MIN_UNLIMITED_BYTES,
    describe_limits,
    find_cgroups,
    find_tightest_limit,
    list_cgroup_folders,
    read_cpu_quota,
)
from orchestrator.machine.kernel_files import KernelFiles
from tests.orchestrator.machine.kernel import Build, Texts

UNIFIED = "sys/fs/cgroup"


SINGLE = {
    "proc/self/cgroup": "0::/user/me\n",
    f"{UNIFIED}/cgroup.procs": "",
    f"{UNIFIED}/user/cgroup.procs": "",
    f"{UNIFIED}/user/me/cgroup.procs": "",
}


HYBRID = {
    "proc/self/cgroup": "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n",
    f"{UNIFIED}/cpu,cpuacct/cgroup.procs": "",
    f"{UNIFIED}/cpu,cpuacct/job/cgroup.procs": "",
    f"{UNIFIED}/memory/cgroup.procs": "",
    f"{UNIFIED}/memory/job/cgroup.procs": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def make(root: Path, *trees: Mapping[str, str]) -> KernelFiles:
    for tree in trees:
        for name, text in tree.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return KernelFiles(root)


def test_a_cgroup_and_all_that_contain_it_are_found_from_the_mount_down(root: Path) -> None:
    version, folders = find_cgroups(make(root, SINGLE), "cpu")
    assert version == "v2"
    assert [*map(Path, folders)] == [Path(UNIFIED), Path(UNIFIED, "user"), Path(UNIFIED, "user", "me")]


def test_on_a_hybrid_system_a_controller_is_where_it_is_mounted(root: Path) -> None:
    version, folders = find_cgroups(make(root, HYBRID), "memory")
    assert (version, folders) == ("v1", [f"{UNIFIED}/memory", f"{UNIFIED}/memory/job"])


def test_a_controller_that_shares_its_mount_is_found_by_either_name(root: Path) -> None:
    files = make(root, HYBRID)
    for controller in ("cpu", "cpuacct"):
        assert find_cgroups(files, controller) == ("v1", [f"{UNIFIED}/cpu,cpuacct", f"{UNIFIED}/cpu,cpuacct/job"])


@pytest.mark.parametrize("text", ["", "garbage\n", "0:\n", "::\n", "\n\n"])
def test_where_the_kernel_says_nothing_of_use_there_is_no_cgroup_with_limits(root: Path, text: str) -> None:
    assert describe_limits(make(root, {"proc/self/cgroup": text}))["memory_limit_bytes"] is None


def test_a_container_that_sees_its_hosts_path_has_the_limits_at_the_mount(root: Path) -> None:
    files = make(root, {"proc/self/cgroup": "0::/docker/4711\n", f"{UNIFIED}/cgroup.procs": ""})
    version, (folder,) = find_cgroups(files, "cpu")
    assert (version, Path(folder)) == ("v2", Path(UNIFIED))


def test_a_path_does_not_lead_out_of_the_mount(root: Path) -> None:
    files = make(root, SINGLE)
    assert list_cgroup_folders(files, (".",), "/../../etc") == [f"{UNIFIED}/."]


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "0 100000\n"}, None),
        ({"cpu.max": "garbage\n"}, None),
        ({"cpu.max": "100000 0\n"}, None),
        ({"cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.cfs_quota_us": "50000\n"}, None),
        ({}, None),
    ],
)
def test_a_quota_is_cores_in_either_version_or_none(root: Path, files: Mapping[str, str], cores: float | None) -> None:
    made = make(root, {f"group/{name}": text for name, text in files.items()})
    assert read_cpu_quota(made, "group") == cores


@pytest.mark.parametrize(
    ("found", "folders", "limit"),
    [([], [], None), ([], ["a"], "unlimited"), ([3.0, 1.5], ["a"], 1.5), ([7], ["a", "b"], 7)],
)
def test_the_smallest_limit_counts(found: list[float], folders: list[str], limit: object) -> None:
    assert find_tightest_limit(found, folders) == limit


def test_limits_of_version_2_are_the_tightest_on_the_way_up(root: Path) -> None:
    files = make(
        root,
        SINGLE,
        {f"{UNIFIED}/user/cpu.max": "300000 100000\n", f"{UNIFIED}/user/me/cpu.max": "200000 100000\n"},
        {f"{UNIFIED}/user/memory.max": "1000\n", f"{UNIFIED}/user/me/memory.max": "max\n"},
    )
    assert describe_limits(files) == {"cgroup": "v2", "cpu_quota": 2.0, "memory_limit_bytes": 1000}


def test_limits_of_version_1_are_read_where_each_controller_is(root: Path) -> None:
    quota = {"cpu.cfs_quota_us": "100000\n", "cpu.cfs_period_us": "100000\n"}
    files = make(
        root,
        HYBRID,
        {f"{UNIFIED}/cpu,cpuacct/job/{name}": text for name, text in quota.items()},
        {f"{UNIFIED}/memory/job/memory.limit_in_bytes": "5000\n"},
    )
    assert describe_limits(files) == {"cgroup": "v1", "cpu_quota": 1.0, "memory_limit_bytes": 5000}


def test_the_number_that_stands_for_no_limit_is_none(root: Path) -> None:
    files = make(root, HYBRID, {f"{UNIFIED}/memory/job/memory.limit_in_bytes": f"{MIN_UNLIMITED_BYTES}\n"})
    assert describe_limits(files)["memory_limit_bytes"] == "unlimited"


def test_without_cgroups_no_limit_is_known(root: Path) -> None:
    assert describe_limits(make(root)) == {"cgroup": None, "cpu_quota": None, "memory_limit_bytes": None}


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
