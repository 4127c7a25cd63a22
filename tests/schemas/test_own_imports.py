"""A process may hold modules of a user that are named like this project's: each side imports its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINE = "OWNER = 'the user'\n"
# The forms in which a user may have a module.
FORMS = {"module": "schemas.py", "package": "schemas/__init__.py", "folder": "schemas/job/deep.py"}
CLAIM = "import orchestrator; from orchestrator.planning.plan import Cell\n"
END = "\nimport json; print(json.dumps(said))"


def run(folder: Path, program: str, *path: Path | str) -> Any:  # noqa: ANN401 (the type depends on the program)
    """Run a program in a folder, with these folders before this project's on the path, and return what it says."""
    places = f"import sys; sys.path[:0] = {[*map(str, path), str(ROOT)]}\n"
    command = [sys.executable, "-P", "-c", places + program + END]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


# Before this project is imported, Python itself prefers a package on the path to a folder without `__init__.py`.
@pytest.mark.parametrize(
    ("form", "first"),
    [(form, first) for form in FORMS for first in ("theirs", "ours") if (form, first) != ("folder", "theirs")],
)
def test_a_user_imports_theirs_and_this_project_its_own_whoever_is_first(tmp_path: Path, form: str, first: str) -> None:
    write(tmp_path, {FORMS[form]: MINE})
    name = "schemas.job.deep" if form == "folder" else "schemas"
    theirs = f"import {name}; found = sys.modules[{name!r}].OWNER\n"
    program = theirs + CLAIM if first == "theirs" else CLAIM + theirs
    said = run(tmp_path, f"{program}said = [found, Cell.__module__, sys.modules['schemas'].__name__]", tmp_path)
    assert said == ["the user", "_plumbline.schemas.job", "schemas"]


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_without_a_module_of_the_user_the_plain_name_is_the_same_module(tmp_path: Path, first: str) -> None:
    theirs = "from schemas.job import Cell as Named; from workers.errors import Unsupported; import schemas.job\n"
    program = theirs + CLAIM if first == "theirs" else CLAIM + theirs
    said = run(
        tmp_path,
        program
        + "from workers.frameworks import Unsupported as Again\n"
        + "said = [Named is Cell, schemas.job is sys.modules['schemas.job'], Unsupported is Again]",
    )
    assert said == [True, True, True]


def test_a_package_of_the_user_is_completed_by_what_this_project_offers_in_one_of_that_name(tmp_path: Path) -> None:
    write(tmp_path, {"workers/__init__.py": MINE, "workers/blocks.py": MINE, "workers/errors.py": MINE})
    program = "import workers.blocks, workers.errors; from workers.arrays import Array\n"
    said = run(tmp_path, f"{CLAIM}{program}said = [workers.OWNER, workers.errors.OWNER, Array is not None]", tmp_path)
    assert said == ["the user", "the user", True]


def test_what_neither_side_has_is_missing_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"workers/__init__.py": MINE})
    program = "said = []\nfor name in ('workers.nothing', 'schemas.nothing'):\n"
    program += "    try: __import__(name)\n    except ModuleNotFoundError as error: said.append(error.name)"
    assert run(tmp_path, CLAIM + program, tmp_path) == ["workers.nothing", "schemas.nothing"]


def test_a_name_is_free_again_once_it_is_released(tmp_path: Path) -> None:
    write(tmp_path, {"workers.py": MINE})
    program = (
        "from workers.arrays import Array; from schemas import own_imports\n"
        f"own_imports.release_names(); sys.path.insert(0, {str(tmp_path)!r}); import workers\nsaid = workers.OWNER"
    )
    assert run(tmp_path, CLAIM + program) == "the user"


def test_a_module_is_described_by_one_spec_whatever_it_is_called(tmp_path: Path) -> None:
    program = "import schemas.base, importlib.util\nsaid = [schemas.base.__spec__.name, schemas.base.__file__]"
    assert run(tmp_path, CLAIM + program) == ["_plumbline.schemas.base", str(ROOT / "schemas" / "base.py")]


def test_another_version_of_this_project_on_the_path_is_no_module_of_the_user(tmp_path: Path) -> None:
    other = write(tmp_path / "other", {"orchestrator/registry/plugins.py": "", "workers/__init__.py": "OLD = 1\n"})
    program = "import workers; from workers.arrays import Array\nsaid = hasattr(workers, 'OLD')"
    places = f"sys.path.insert(1, {str(other)!r}); sys.path.insert(0, {str(other)!r})\n"
    assert run(tmp_path, CLAIM + places + program) is False
