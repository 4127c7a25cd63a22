"""What an interpreter is, and what can be found beside it; nothing of that is imported.

Another interpreter runs this file as a program and prints it as JSON. So the standard library has to do, and the words
have to be such that an interpreter which is too old can still say so.
"""

import hashlib
import importlib.util
import json
import platform
import re
import sys
import sysconfig

OURS = "plumbline"
NEW_ENOUGH = sys.version_info[:2] >= (3, 11)
if NEW_ENOUGH:
    from importlib import metadata


def identity() -> str:
    """This build of Python, its ABI and its platform: what is installed for one such works for another."""
    abi = sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag
    return " ".join([sys.version, str(abi), sysconfig.get_platform(), *platform.libc_ver()])


def distributions() -> "dict[str, tuple[str, str]]":
    """Version and hash of every distribution, by its name as pip compares names; of two, the one that is imported.

    Not of this project itself, whose code is told by its own hash, and which a checkout may or may not call installed.
    """
    found: dict[str, tuple[str, str]] = {}
    for each in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"] or "").lower()
        if name and name not in found and name != OURS:
            found[name] = (each.version, digest(each.read_text("RECORD") or ""))
    return dict(sorted(found.items()))


def digest(record: str) -> str:
    """Sixteen hexadecimal digits of what was unpacked, by a RECORD; empty where there is none.

    Two builds may call themselves by one version. RECORD is the installer's list of files with their SHA-256.
    """
    return hashlib.sha256("\n".join(unpacked(record)).encode()).hexdigest()[:16] if record else ""


def unpacked(record: str) -> "list[str]":
    """The lines of a RECORD that come from the wheel's code, sorted.

    Not those without a hash (compiled Python), nor what the installer wrote itself: scripts that name the interpreter's
    path, outside the packages' folder, and its own notes among the metadata.
    """
    lines = (line for line in record.splitlines() if ",sha256=" in line)
    return sorted(line for line in lines if not line.startswith("..") and ".dist-info/" not in line)


def modules(names: "list[str]") -> "list[str]":
    """The top-level modules of all distributions, and those of these names that are found otherwise."""
    every = set(metadata.packages_distributions())
    return sorted(every | {name for name in names if importlib.util.find_spec(name) is not None})


def main(names: "list[str]") -> None:
    """Print what there is; of an interpreter that is too old, only what it is."""
    said: dict[str, object] = {"python": platform.python_version(), "identity": identity()}
    if NEW_ENOUGH:
        said["distributions"] = distributions()
        said["modules"] = modules(names)
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1:])
