"""Locks on cores, so that no two sweeps on a machine ever measure on one core, whoever started them.

Each physical core has a lock file in a folder that every user may write to. The kernel releases the locks of a process
that ends. A folder is chosen by its permissions and not by the user's, so that all users come to the same one.
"""

import os
import pwd
import stat
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.files.lock import LockHeld, hold_public
from orchestrator.machine.findings import join_names

VARIABLE: Final = "PLUMBLINE_LOCKS"

# Not first /dev/shm: systemd removes a user's files there when the user logs out, though a sweep may go on.
FOLDERS: Final = tuple(map(Path, ("/run/lock", "/dev/shm", "/tmp")))  # noqa: S108 (the locks are for all users)

# The permissions of a folder in which every user may make files, and remove no other user's.
PUBLIC_MODE: Final = 0o1777


class CoresTaken(Exception):
    """Too few cores are free. `holders` maps each holder's note about itself to the cores that it has."""

    def __init__(self, needed: int, free: int, holders: Mapping[str, Sequence[int]]) -> None:
        super().__init__(needed, free, holders)
        self.needed, self.free, self.holders = needed, free, holders

    def describe_holders(self) -> str:
        """Return who measures on which cores. The notes are other people's, and not safe to print as they are."""
        return "; ".join(f"{note} measures on {name_cores(cores)}" for note, cores in self.holders.items())


@contextmanager
def hold_cores(
    count: int, order: Sequence[int], siblings: Mapping[int, Collection[int]], folder: Path
) -> Iterator[tuple[int, ...]]:
    """Hold the first free cores of this order, with their siblings, against all other sweeps on this machine.

    Raises:
        CoresTaken: fewer are free.
    """
    with ExitStack() as stack:
        yield _lock_cores(stack, count, order, siblings, folder)


def _lock_cores(
    stack: ExitStack, count: int, order: Sequence[int], siblings: Mapping[int, Collection[int]], folder: Path
) -> tuple[int, ...]:
    held, about = list[int](), describe_holder()
    groups, taken = set[int](), defaultdict[str, list[int]](list)
    for core in order:
        if len(held) == count:
            break
        group = min([core, *siblings.get(core, ())])
        try:
            if group not in groups:
                # Without locks on this file system, or where a file is another user's alone, sweeps cannot tell.
                with suppress(OSError):
                    stack.enter_context(hold_public(folder.joinpath(f"plumbline-core-{group}.lock"), about))
            groups.add(group)
            held.append(core)
        except LockHeld as error:
            taken[str(error) or "another process"].append(core)
    if len(held) < count:
        raise CoresTaken(count, len(held), taken)
    return tuple(held)


def list_unlocked(cores: Sequence[int], siblings: Mapping[int, Collection[int]], folder: Path) -> tuple[int, ...]:
    """Return those of these cores that no other sweep holds, nor a sibling of them, at this moment."""
    free = []
    for core in cores:
        with suppress(CoresTaken), hold_cores(1, [core], siblings, folder):
            free.append(core)
    return tuple(free)


def find_lock_folder() -> Path:
    """Return the folder of the locks: the user's choice, or the first one that every user may write to.

    Raises:
        UsageError: the user has chosen something else than a folder.
    """
    if chosen := os.environ.get(VARIABLE):
        if not Path(chosen).is_dir():
            raise UsageError(f"{VARIABLE} names {chosen}, which is not a folder; create it, or unset the variable")
        return Path(chosen)
    return next(filter(is_public_folder, FOLDERS), Path(tempfile.gettempdir()))


def is_public_folder(path: Path) -> bool:
    """Return whether every user may make files in a folder, and remove no other user's."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and mode & PUBLIC_MODE == PUBLIC_MODE


def describe_holder() -> str:
    """Return this process's note for other sweeps: its number, its user and the time."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    return f"process {os.getpid()} of {read_user_name()} (since {now})"


def read_user_name() -> str:
    """Return the name of this process's user; a container may have users without a name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def name_cores(cores: Collection[int]) -> str:
    """Return `core 1` or `cores 0 and 1`."""
    return f"core{'s' if len(cores) > 1 else ''} {join_names([*map(str, sorted(cores))])}"
