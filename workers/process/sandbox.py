"""A sandbox for code of strangers: a process that can write to few folders, reads what it needs, and has no network.

The kernel's Landlock (Linux 5.13) restricts files, and signals to other processes. A network namespace leaves a process
without a network, where the kernel lets a user make one; elsewhere Landlock leaves it without TCP. Both hold for every
thread and process that is started later, and cannot be undone.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from schemas.job import JobSpec, Measure
from workers.errors import Unsupported

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
GET_VERSION, PATH_BENEATH = 1, 1
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000

# Rights on files, by the version of Landlock that knows them.
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
READING = EXECUTE | READ_FILE | READ_FOLDER
RIGHTS_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15  # to read, write, execute, truncate and control one
ALL_TCP, ALL_SCOPES = 0b11, 0b11

# What interpreters and frameworks read.
READ_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/opt", "/proc", "/sys", "/run", "/var/lib")
OWN_FOLDERS = ("workers", "schemas")
# Devices that hold nothing of anybody's, shared memory for threads, and GPUs; no disks.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "shm", "nvidia*", "dri")


class Ruleset(ctypes.Structure):
    """The rights that a set of rules is about."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class Rule(ctypes.Structure):
    """The rights below one folder, or on one file."""

    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def enter_sandbox(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Restrict this process, and all that it starts, to these files and folders beside those of the system.

    Raises:
        Unsupported: the kernel cannot do so.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = require_landlock(libc)
    rights = max(known for least, known in RIGHTS_OF_VERSION.items() if least <= version)
    rules = make_ruleset(libc, version, rights, has_network=not leave_network(libc))
    here = Path(__file__).resolve().parents[2]
    ours = [str(here / name) for name in OWN_FOLDERS]
    # Of the folder that they are in, which may have runs too, only names can be read.
    add_rule(libc, rules, str(here), READ_FOLDER)
    for path in (*READ_FOLDERS, *ours, *(path for path in readable if Path(path) != here)):
        add_rule(libc, rules, path, READING & rights)
    devices = [str(path) for name in DEVICES for path in Path("/dev").glob(name)]
    for path in (*devices, *writable):
        add_rule(libc, rules, path, rights)
    # Without new privileges: a program that changes its user would escape.
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(RESTRICT_SELF, rules, 0):
        raise Unsupported(f"the kernel refuses the sandbox: {os.strerror(ctypes.get_errno())}")
    os.close(rules)


def require_landlock(libc: ctypes.CDLL) -> int:
    """Return the version of the kernel's Landlock.

    Raises:
        Unsupported: the kernel has none.
    """
    version = int(libc.syscall(CREATE_RULESET, None, 0, GET_VERSION)) if sys.platform == "linux" else -1
    if version < 1:
        raise Unsupported("this kernel has no Landlock, which --sandbox needs (Linux 5.13 or later)")
    return version


def make_ruleset(libc: ctypes.CDLL, version: int, rights: int, *, has_network: bool) -> int:
    """Make an empty set of rules about all that this version of Landlock knows; return its descriptor."""
    about = Ruleset(rights, ALL_TCP if version >= 4 and has_network else 0, ALL_SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    made: int = libc.syscall(CREATE_RULESET, ctypes.byref(about), size, 0)
    return made


def add_rule(libc: ctypes.CDLL, rules: int, path: str, allowed: int) -> None:
    """Allow these rights below a folder, or on a file; one that does not exist needs none."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not Path(path).is_dir():
            allowed &= ON_FILES
        rule = Rule(allowed, descriptor)
        libc.syscall(ADD_RULE, rules, PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(descriptor)


def leave_network(libc: ctypes.CDLL) -> bool:
    """Move this process to a network of its own, without a connection; return whether the kernel lets it."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        return False
    with contextlib.suppress(OSError):
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
    return True


def protect_from_job(spec: JobSpec) -> None:
    """Restrict this process to what its job needs: its folder, and for other files the folder that they go to."""
    folders = [str(Path(spec.results).parent)] if spec.results else []
    if not isinstance(spec.purpose, Measure):
        folders.append(str(Path(spec.purpose.path).parent))
    enter_sandbox([*list_imported(), *list_given(spec)], folders)
    # Its parent reads its memory, which the kernel allows no longer once a process has other credentials.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def protect_from_reference(spec: JobSpec, logs: Path, data: Path) -> None:
    """Restrict a judge to the logs and data of all jobs, and to reading beside the data, where results are."""
    made = [str(Path(path).parent) for path in list_made(spec)]  # later jobs have other files in the same folders
    enter_sandbox([*list_imported(), *list_given(spec), *made, str(data.parent)], [str(logs), str(data)])


def list_imported() -> list[str]:
    """Return what this interpreter imports from."""
    return [path for path in (sys.prefix, sys.base_prefix, *sys.path) if path]


def list_given(spec: JobSpec) -> list[str]:
    """Return the files and folders that a job is given."""
    model, test = spec.model, spec.model.test if spec.model else None
    given = [spec.source_dir, *list_made(spec), spec.data.path if spec.data else ""]
    given += [model.folder, model.file, model.data, model.labels] if model else []
    given += [test.folder, *test.path] if test else []
    return [path for path in given if path]


def list_made(spec: JobSpec) -> list[str]:
    """Return the files that other jobs have made for this one."""
    return [made.path for made in (spec.expected, spec.artefact) if made is not None]
