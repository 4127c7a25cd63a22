"""Wheels of a few bytes, and settings that point pip to them alone, so that an environment takes a second."""

import base64
import hashlib
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from site import getsitepackages

from schemas.catalog import WORKER_REQUIREMENTS


def make_wheel(
    folder: Path, name: str, version: str, requires: Sequence[str] = (), files: Mapping[str, str] | None = None
) -> Path:
    """Make a wheel of these files; by default, of one module with the distribution's name."""
    info = f"{name}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {each}\n" for each in requires)
    content = dict({f"{name}.py": f"VERSION = {version!r}\n"} if files is None else files) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={hash_content(text.encode())},{len(text)}" for path, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return wheel


def hash_content(content: bytes) -> str:
    """Hash content as a RECORD does."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def make_wheel_folder(folder: Path) -> Path:
    """Make wheels for all that a worker needs, as an installer sees it, and for a framework in two versions."""
    for name, version in (
        ("numpy", "2.9"),
        ("pydantic", "2.99"),
        ("autograd", "1.9"),
        ("tiny", "1.0"),
        ("tiny", "2.0"),
    ):
        make_wheel(folder, name, version, ["helper"] if name == "tiny" else [])
    make_wheel(folder, "helper", "0.5")
    return folder


def make_working_wheel_folder(folder: Path) -> Path:
    """Make wheels with which a worker can run: one leads to this Python's packages, the others are empty."""
    make_wheel(folder, "tiny", "1.0", files={"tiny.pth": "\n".join(getsitepackages())})
    for name in WORKER_REQUIREMENTS:
        make_wheel(folder, name, "99", files={})
    return folder


def make_offline_variables(shelf: Path) -> dict[str, str]:
    """Return the variables of a user whose pip knows this folder alone, and who has no uv."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return kept | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(shelf),
        "PATH": os.pathsep.join(part for part in kept["PATH"].split(os.pathsep) if not Path(part, "uv").exists()),
    }
