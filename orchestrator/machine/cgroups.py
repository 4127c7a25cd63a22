"""The cgroups around this process, and the limits that they set."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from orchestrator.machine.kernel_files import KernelFiles, parse_natural
from schemas.record import Unlimited

N = TypeVar("N", int, float)


# A cgroup without a limit shows a number of at least this many bytes.
MIN_UNLIMITED_BYTES = 1 << 60


def describe_limits(files: KernelFiles) -> dict[str, object]:
    """Return the limits that cgroups set for this process."""
    version, runners = find_cgroups(files, "cpu")
    _, holders = find_cgroups(files, "memory")
    sizes = (
        files.read_number(f"{folder}/{name}") for folder in holders for name in ("memory.max", "memory.limit_in_bytes")
    )
    return {
        "cgroup": version,
        "cpu_quota": find_tightest_limit(
            [quota for each in runners if (quota := read_cpu_quota(files, each))], runners
        ),
        "memory_limit_bytes": find_tightest_limit(
            [limit for limit in sizes if limit is not None and limit < MIN_UNLIMITED_BYTES], holders
        ),
    }


def find_tightest_limit(found: Sequence[N], folders: Sequence[str]) -> N | Unlimited | None:
    """Return the smallest limit, or `unlimited` where no cgroup has one; None without cgroups."""
    return min(found) if found else ("unlimited" if folders else None)


def read_cpu_quota(files: KernelFiles, folder: str) -> float | None:
    """Return how many cores' time a cgroup itself allows; None if it sets no limit."""
    # Version 2 keeps quota and period in one file, version 1 in two.
    both = files.read_text(f"{folder}/cpu.max") or " ".join(
        files.read_text(f"{folder}/{name}") or "" for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    )
    quota, period = (parse_natural(part) for part in both.partition(" ")[::2])
    return quota / period if quota and period else None


def find_cgroups(files: KernelFiles, controller: str) -> tuple[Literal["v1", "v2"] | None, list[str]]:
    """Return a controller's version and the readable folders of the cgroups around this process."""
    entries = [line.split(":", 2) for line in files.read_lines("proc/self/cgroup") if line.count(":") > 1]
    # On a hybrid system a controller belongs to version 1 if it is mounted there.
    for _, controllers, path in entries:
        if controller in controllers.split(","):
            return "v1", list_cgroup_folders(files, (controllers, controller), path)
    for _, controllers, path in entries:
        if not controllers:
            return "v2", list_cgroup_folders(files, (".", "unified"), path)
    return None, []


def list_cgroup_folders(files: KernelFiles, mounts: Iterable[str], path: str) -> list[str]:
    """Return a cgroup's folder and the folders above it, except missing ones.

    A container may see its host's path while its cgroup is mounted at the root.
    """
    readable = "cgroup.procs"
    mount = next(
        (f"sys/fs/cgroup/{name}" for name in mounts if files.has_file(f"sys/fs/cgroup/{name}/{readable}")), None
    )
    # In a cgroup namespace, the path of an outer cgroup contains `..`.
    parts = [part for part in path.split("/") if part not in ("", "..")]
    places = ["/".join((mount, *parts[:depth])) for depth in range(len(parts) + 1)] if mount else []
    return [place for place in places if files.has_file(f"{place}/{readable}")]
