import os
import platform
import signal
import stat
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.environments import interpreters
from orchestrator.errors import UsageError
from tests.orchestrator.quick import PROGRAM

ROOT = Path(__file__).resolve().parents[3]
MINOR = ".".join(platform.python_version_tuple()[:2])


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_by_default_it_is_the_running_interpreter_outside_its_environment() -> None:
    ours = interpreters.find_interpreter("", "x")
    program = "import sys; print(sys.prefix == sys.base_prefix)"
    assert subprocess.check_output([ours[0], "-c", program]) == b"True\n"
    assert interpreters.find_interpreter(MINOR, "x") == ours


def test_the_same_python_is_the_same_whether_it_is_asked_or_looked_at() -> None:
    _, build = interpreters.find_base_interpreter()
    assert interpreters.find_interpreter(sys.executable, "x") == (Path(sys.executable), build)


def test_the_current_environment_is_what_its_interpreter_says_from_outside() -> None:
    inside = interpreters.describe_current()
    outside, modules = interpreters.inspect_interpreter(Path(sys.executable), ["json"])
    assert outside.packages.items() >= {"pydantic": inside.packages["pydantic"]}.items()
    assert outside.freeze == inside.freeze
    assert {"pydantic", "json", "numpy"} <= modules


def test_an_environment_is_asked_for_what_is_in_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    record, modules = interpreters.inspect_interpreter(tmp_path / "bare" / "bin" / "python", ["pydantic", "json"])
    assert record.packages == {}
    assert modules == {"json"}


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n", "#!/bin/sh\necho '[]'\n", "no program"]
)
def test_what_does_not_answer_is_no_interpreter(tmp_path: Path, text: str) -> None:
    path = program(tmp_path / "python", text)
    with pytest.raises(UsageError, match=f"{path} does not answer as a Python interpreter; name another one"):
        interpreters.inspect_interpreter(path, [])
    with pytest.raises(UsageError, match=f"the environment x: {path} does not answer as a Python interpreter"):
        interpreters.find_interpreter(str(path), "x")


@pytest.mark.parametrize("version", ["3.10", "3.14", "3.8.18"])
def test_a_python_that_nothing_works_with_is_refused_with_those_that_do(tmp_path: Path, version: str) -> None:
    answer = f'{{"python": "{version}", "identity": "x"}}'
    path = program(tmp_path / "python", f"#!/bin/sh\necho '{answer}'\n")
    with pytest.raises(UsageError, match=rf"is Python {version}.*, and workers need 3\.11 to 3\.13"):
        interpreters.inspect_interpreter(path, [])
    with pytest.raises(UsageError, match=r"the environment x.* 3\.11 to 3\.13"):
        interpreters.find_interpreter(version, "x")


@pytest.mark.parametrize("asked", ["latest", "3", "3.x", "python3.12", "4.1"])
def test_a_version_that_is_none_is_refused(asked: str) -> None:
    with pytest.raises(UsageError, match=f"the environment x: '{asked}' is not a Python version; write it as in 3.12"):
        interpreters.find_interpreter(asked, "x")


def test_a_version_is_looked_for_on_the_path_past_what_only_calls_itself_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = next(minor for minor in ("3.11", "3.12", "3.13") if minor != MINOR)
    program(tmp_path / "shims" / f"python{other}", "#!/bin/sh\necho 'not found' >&2\nexit 127\n")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "shims"), str(tmp_path / "real")]))
    with pytest.raises(UsageError, match=f"asks for Python {other}, which neither uv nor the PATH has"):
        interpreters.find_interpreter(other, "x")
    answer = f'{{"python": "{other}.7", "identity": "its build"}}'
    path = program(tmp_path / "real" / f"python{other}", f"#!/bin/sh\necho '{answer}'\n")
    assert interpreters.find_interpreter(other, "x") == (path, "its build")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_program_is_asked_that_never_answers_ends_that_too_and_leaves_no_folder(
    tmp_path: Path, soon: Callable[[Callable[[], bool]], bool], number: signal.Signals
) -> None:
    path, temporary = program(tmp_path / "python", "#!/bin/sh\nexec sleep 50\n"), tmp_path / "temporary"
    temporary.mkdir()
    variables = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*PROGRAM, "env", "show", str(path)], cwd=tmp_path, env=variables, stderr=subprocess.PIPE
    ) as asking:
        assert soon(lambda: any(temporary.iterdir()))
        assert soon(lambda: [child.name() for child in psutil.Process(asking.pid).children()] == ["sleep"])
        (asked,) = psutil.Process(asking.pid).children()
        asking.send_signal(number)
        _, err = asking.communicate(timeout=30)
    assert (asking.returncode, err) == (ExitCode.INTERRUPTED if number == signal.SIGINT else -number, b"")
    assert not asked.is_running()
    assert list(temporary.iterdir()) == []
