"""Probe of an interpreter: its build, and the packages beside it, none of which is imported.

Another interpreter runs this file as a program, which prints the answer as JSON. So it uses the standard library
alone, and a syntax in which even an unsupported, older interpreter can identify itself.
"""

import hashlib
import importlib.util
import json
import platform
import re
import sys
import sysconfig

# The name of this project's distribution.
PROJECT = "plumbline-ml"

# The first and the last version of Python that all workers support.
SUPPORTED_PYTHONS = ((3, 11), (3, 13))

# An older interpreter lacks packages_distributions(), and could not run a worker anyway.
IS_SUPPORTED = sys.version_info[:2] >= (3, 11)
if IS_SUPPORTED:
    from importlib import metadata


def describe_build() -> str:
    """Return this Python's build, ABI and platform: packages installed for one suit every equal one."""
    abi = sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag
    return " ".join([sys.version, str(abi), sysconfig.get_platform(), *platform.libc_ver()])


def list_distributions() -> "dict[str, tuple[str, str]]":
    """Return version and hash of every distribution, by its name as pip compares names; the one imported first counts.

    This project is left out: its code has a separate hash, and a checkout may or may not count as installed.
    """
    found: dict[str, tuple[str, str]] = {}
    for each in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"] or "").lower()
        if name and name not in found and name != PROJECT:
            found[name] = (each.version, hash_record(each.read_text("RECORD") or ""))
    return dict(sorted(found.items()))


def hash_record(record: str) -> str:
    """Hash the unpacked files in a RECORD to sixteen hexadecimal digits; return an empty text without a RECORD.

    Two builds may share one version. RECORD is the installer's list of files with their SHA-256.
    """
    return hashlib.sha256("\n".join(select_unpacked_files(record)).encode()).hexdigest()[:16] if record else ""


def select_unpacked_files(record: str) -> "list[str]":
    """Return the lines of a RECORD that come from the wheel's code, sorted.

    Lines without a hash (compiled Python) are left out, and so are the installer's files: scripts, which name the
    interpreter's path and lie outside the packages' folder, and notes among the metadata.
    """
    lines = (line for line in record.splitlines() if ",sha256=" in line)
    return sorted(line for line in lines if not line.startswith("..") and ".dist-info/" not in line)


def list_modules(names: "list[str]") -> "list[str]":
    """Return the top-level modules of all distributions, and those of these names that are found otherwise."""
    every = set(metadata.packages_distributions())
    return sorted(every | {name for name in names if importlib.util.find_spec(name) is not None})


def main(names: "list[str]") -> None:
    """Print the answer; an unsupported interpreter prints only its version and identity."""
    said: dict[str, object] = {"python": platform.python_version(), "identity": describe_build()}
    if IS_SUPPORTED:
        said["distributions"] = list_distributions()
        said["modules"] = list_modules(names)
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1:])
