"""The program's start: in any folder, with Ctrl-C at any early moment, and both ways to call it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import pytest

from orchestrator.cli.exit_codes import ExitCode
from tests.orchestrator.quick import QUICK

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(sys.executable).with_name("plumbline")
COMMANDS = {"module": [sys.executable, "-m", "orchestrator"], "script": [sys.executable, str(SCRIPT)]}
# Imports that end one after the other while the program starts, and the command that needs the last ones.
IMPORTS = ("orchestrator.cli", "signal", "typer", "orchestrator.cli.app", "pydantic", "orchestrator.planning.plan")


def start(folder: Path, command: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
@pytest.mark.parametrize("kind", ["module", "script"])
def test_an_interrupt_at_any_early_moment_is_exit_code_130_and_no_traceback(tmp_path: Path, kind: str) -> None:
    if not Path(COMMANDS[kind][1]).exists() and kind == "script":
        pytest.skip("the script is not installed beside this interpreter")
    codes = []
    for moment in range(20):
        with start(tmp_path, [*COMMANDS[kind], "list", "--json"]) as program:
            time.sleep(moment * 0.03)
            program.send_signal(signal.SIGINT)
            _, err = program.communicate(timeout=60)
        if program.returncode == ExitCode.INTERRUPTED:
            assert err == ""
        else:
            # Python itself was starting, or the program had ended before the signal. A callback of Python's imports
            # shows the interrupt, and goes on.
            assert str(ROOT / "orchestrator") not in err
            went_on = program.returncode == 0 and err.startswith("Exception ignored in")
            assert went_on or program.returncode in (-signal.SIGINT, 1 if err else 0), err
        codes.append(program.returncode)
    assert codes.count(ExitCode.INTERRUPTED) >= 5


@pytest.mark.parametrize("last", IMPORTS)
def test_an_interrupt_in_the_middle_of_an_import_is_quiet(tmp_path: Path, last: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "orchestrator", "plan", "--frameworks", "numpy"]
    with start(tmp_path, command) as program:
        assert program.stderr is not None
        while program.stderr.readline().rpartition("|")[2].strip() != last:
            pass
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    assert program.returncode == ExitCode.INTERRUPTED
    assert [line for line in err.splitlines() if not line.startswith("import time:")] == []


def test_an_interrupt_that_a_shell_has_ignored_for_a_background_command_stays_ignored(tmp_path: Path) -> None:
    shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    with start(tmp_path, [*shell, *COMMANDS["module"], "list", "--json"]) as program:
        # The shell itself still hears a signal until it has run its trap.
        while psutil.Process(program.pid).name() == "sh":
            time.sleep(0.005)
        for _ in range(10):
            program.send_signal(signal.SIGINT)
            time.sleep(0.05)
        _, err = program.communicate(timeout=60)
    assert (program.returncode, err) == (ExitCode.FINE, "")


def test_importing_the_command_line_changes_no_signal_and_loads_nothing_heavy() -> None:
    program = (
        "import signal, sys; before = signal.getsignal(signal.SIGINT); from orchestrator.cli import main; "
        "print(signal.getsignal(signal.SIGINT) is before, sys.modules.keys() & {'typer', 'pydantic', 'rich'})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True set()\n"


# A user's files with names that this project, Python or a library uses. None of them must be imported.
TRAPS = ("schemas.py", "schemas/__init__.py", "workers.py", "workers/__init__.py", "tests/__init__.py", "rich.py")
TRAP = "raise RuntimeError('this is a file of the user')\n"


def find_command(kind: str) -> list[str]:
    if kind == "script" and not SCRIPT.exists():
        pytest.skip("the script is not installed beside this interpreter")
    return COMMANDS[kind]


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["module", "script"])
def test_it_measures_in_a_folder_with_files_named_like_its_own(tmp_path: Path, kind: str) -> None:
    write_files(tmp_path, dict.fromkeys((*TRAPS, "numpy.py", "torch.py", "reference.py"), TRAP))
    write_files(tmp_path, {"quick.toml": QUICK})
    with start(tmp_path, [*find_command(kind), "sweep", "quick.toml", "--no-report"]) as program:
        out, err = program.communicate(timeout=120)
    assert (program.returncode, err) == (ExitCode.FINE, "")
    assert "[2 of about 2] block 1 numpy:eager" in out


@pytest.mark.parametrize("kind", ["module", "script"])
def test_it_starts_with_such_a_folder_on_the_path(tmp_path: Path, kind: str) -> None:
    write_files(tmp_path, dict.fromkeys(TRAPS[:-1], TRAP))
    command = ["env", f"PYTHONPATH={tmp_path}{os.pathsep}{ROOT}", *find_command(kind), "plan", "--frameworks", "numpy"]
    with start(tmp_path, command) as program:
        out, err = program.communicate(timeout=60)
    assert (program.returncode, err) == (ExitCode.FINE, "")
    assert "numpy:eager" in out


API_FIRST = "from orchestrator.api import JobRecord, load\nimport schemas\nfrom workers import blocks\n"
THEIRS_FIRST = "import schemas\nfrom workers import blocks\nfrom orchestrator.api import JobRecord, load\n"
TESTS_OF_A_USER = """
from orchestrator.errors import UsageError

def test_both_are_there(tmp_path):
    import schemas as again
    assert again is schemas and schemas.OWNER == blocks.OWNER == "the user"
    assert "outcome" in JobRecord.model_fields
    try:
        load("latest", tmp_path)
    except UsageError as error:
        assert "there are no runs" in str(error)
"""


@pytest.mark.long
@pytest.mark.parametrize("imports", [API_FIRST, THEIRS_FIRST], ids=["ours first", "theirs first"])
@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_the_tests_of_a_user_import_their_modules_and_the_api(tmp_path: Path, imports: str, mode: str) -> None:
    owner = "OWNER = 'the user'\n"
    write_files(tmp_path, {"schemas.py": owner, "workers/__init__.py": "", "workers/blocks.py": owner})
    write_files(tmp_path, {"test_mine.py": imports + TESTS_OF_A_USER})
    options = ["-q", "-p", "no:cacheprovider", f"--import-mode={mode}", "-o", "pythonpath=.", "-W", "error"]
    with start(tmp_path, [sys.executable, "-m", "pytest", *options, "test_mine.py"]) as program:
        out, err = program.communicate(timeout=60)
    assert program.returncode == 0, out + err
