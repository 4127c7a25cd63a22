"""Environments as a user meets them: made by a sweep, strictly before it measures, and looked at with `env`."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.cli.exit_codes import ExitCode
from tests.orchestrator.environments.wheels import make_offline_variables, make_working_wheel_folder
from tests.orchestrator.quick import PROGRAM, QUICK

ROOT = Path(__file__).resolve().parents[4]
SWEEP = f"""\
{QUICK.replace("[axes]", "[axes]" + chr(10) + 'environment = ["mine"]')}
[environments.mine]
requirements = ["tiny==1.0"]
variables = {{ OMP_DYNAMIC = "FALSE" }}
"""

# A copy of the environments as they were when the sweep had ended, in the folder of the user who ran it.
AS_MADE = "as-made"


class User:
    """User with a folder, a cache, and wheels that pip finds, but without network and uv."""

    def __init__(self, folder: Path, shelf: Path) -> None:
        self.folder, self.home = folder, folder / "cache" / "plumbline"
        self.variables = make_offline_variables(shelf) | {
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder),
        }
        self.variables = {name: text for name, text in self.variables.items() if name != "PLUMBLINE_HOME"}
        (folder / "mine.toml").write_text(SWEEP)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.variables | {"PYTHONPATH": str(ROOT)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with self.start(*arguments) as program:
            out, err = program.communicate(timeout=120)
        assert "Traceback" not in err, err
        return program.returncode, out, err

    def says(self, *arguments: str) -> Any:  # noqa: ANN401 (the type depends on the document)
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_working_wheel_folder(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, shelf: Path) -> tuple[User, tuple[int, str, str]]:
    """Return a user who ran a sweep without any environment before it, and its result."""
    user = User(tmp_path_factory.mktemp("user"), shelf)
    said = user.run("sweep", "mine.toml")
    shutil.copytree(user.home, user.folder / AS_MADE, symlinks=True)
    return user, said


@pytest.fixture
def user(swept: tuple[User, object]) -> User:
    return swept[0]


@pytest.fixture
def newcomer(tmp_path: Path, shelf: Path) -> User:
    return User(tmp_path, shelf)


@pytest.fixture
def owner(newcomer: User, user: User) -> User:
    """Return a user with an environment, whose removal concerns no other test."""
    shutil.copytree(user.folder / AS_MADE, newcomer.home, symlinks=True)
    return newcomer


def manifest(user: User) -> dict[str, Any]:
    said: dict[str, Any] = user.says("show")["manifest"]
    return said


@pytest.mark.long
def test_a_sweep_makes_what_it_needs_line_by_line_before_it_measures(swept: tuple[User, tuple[int, str, str]]) -> None:
    _, (code, out, _) = swept
    # Between the environments and the first job, a line may say how busy the machine is.
    lines = [line for line in out.splitlines() if not line.startswith("warning: ")]
    assert lines[0] == "The budget counts from the first job on: creating environments is no part of it."
    assert lines[1] == "environment mine: pip resolves tiny==1.0, numpy, pydantic>=2.10, autograd>=1.9"
    assert lines[2] == "environment mine: pip installs 4 packages"
    assert lines[3].startswith("environment mine: ready after ")
    assert lines[4].startswith("[1 of about 2] block 1 numpy:eager")
    assert code == ExitCode.FINE


HALF = SWEEP.replace('environment = ["mine"]', 'environment = ["mine", "lost"]').replace(
    "[environments.mine]", '[environments.lost]\nrequirements = ["tiny==7.0"]\n\n[environments.mine]'
)


@pytest.mark.long
def test_an_environment_that_cannot_be_made_costs_its_cells_and_not_the_sweep(owner: User) -> None:
    (owner.folder / "half.toml").write_text(HALF)
    code, out, _ = owner.run("sweep", "half.toml", "--name", "half")
    assert code == ExitCode.FINE
    reason = "the environment lost cannot be made: there is no tiny==7.0; the newest is 1.0"
    assert f"warning: {reason}" in out
    said = owner.says("show", "half")
    outcomes = {each["cell"]["environment"]: each["outcome"] for group in said["groups"] for each in group["cells"]}
    assert outcomes == {"mine": "measured", "lost": "unsupported"}
    (refused,) = (each for group in said["groups"] for each in group["cells"] if each["outcome"] == "unsupported")
    assert refused["reason"].startswith(reason)
    assert list(said["manifest"]["environments"]) == ["mine"]
    assert owner.run("resume", "half")[0] == ExitCode.FINE


@pytest.mark.long
def test_a_sweep_without_any_environment_that_can_be_made_ends_before_it_begins(newcomer: User) -> None:
    (newcomer.folder / "none.toml").write_text(SWEEP.replace("tiny==1.0", "tiny==7.0"))
    code, _, err = newcomer.run("sweep", "none.toml")
    assert code == ExitCode.USAGE
    assert "error: nothing to run: the environment mine cannot be made: there is no tiny==7.0" in err
    assert not (newcomer.folder / "runs").exists()


@pytest.mark.long
def test_a_run_is_not_resumed_without_an_environment_that_it_had(owner: User, user: User) -> None:
    shutil.copytree(user.folder / "runs", owner.folder / "runs")
    shutil.rmtree(owner.home / "environments")
    shutil.rmtree(owner.home / "resolved")
    owner.variables["PIP_FIND_LINKS"] = str(owner.folder)
    code, _, err = owner.run("resume", "latest")
    assert code == ExitCode.USAGE
    assert "the environment mine cannot be made" in err


@pytest.mark.long
def test_a_python_that_must_be_asked_is_asked_when_the_sweep_begins(newcomer: User) -> None:
    asked = f'[environments.mine]\npython = "{sys.executable}"'
    (newcomer.folder / "mine.toml").write_text(SWEEP.replace("[environments.mine]", asked))
    (planned,) = newcomer.says("plan", "mine.toml")["environments"]
    assert (planned["state"], planned["python"]) == (None, sys.executable)
    code, out, _ = newcomer.run("sweep", "mine.toml")
    assert (code, "environment mine: ready after " in out) == (ExitCode.FINE, True)
    (marker,) = newcomer.home.glob("environments/*/ready.json")
    assert json.loads(marker.read_text())["base"] == sys.executable


def test_a_run_says_what_its_environments_were_and_each_record_which_it_was(user: User) -> None:
    (name, found), *others = manifest(user)["environments"].items()
    assert (name, others, found["packages"]["tiny"]) == ("mine", [], "1.0")
    assert user.home.name in found["interpreter"]
    records = [json.loads(path.read_text()) for path in user.folder.glob("runs/*/jobs/*.json")]
    assert {record["freeze"] for record in records} == {found["freeze"]}
    assert {record["spec"]["cell"]["environment"] for record in records} == {"mine"}


def test_a_worker_runs_in_its_environment_with_its_variables(user: User) -> None:
    for path in user.folder.glob("runs/*/jobs/*.json"):
        settings = {each["name"]: each["got"] for each in json.loads(path.read_text())["result"]["settings"]}
        assert settings["OMP_DYNAMIC"] == "FALSE"


@pytest.mark.long
def test_the_details_of_a_run_name_the_environment_with_its_freeze(user: User) -> None:
    freeze = manifest(user)["environments"]["mine"]["freeze"]
    _, out, _ = user.run("show", "--details")
    assert f"Environment mine: Python {sys.version.split()[0]}" in out
    assert f"freeze {freeze}" in " ".join(out.split())


@pytest.mark.long
def test_a_second_sweep_makes_nothing_and_needs_no_installer(user: User, shelf: Path) -> None:
    blocked = User(user.folder, shelf)
    blocked.variables |= {"PIP_FIND_LINKS": "/nowhere"}
    code, out, _ = blocked.run("sweep", "mine.toml", "--name", "again")
    first = next(line for line in out.splitlines() if not line.startswith("warning: "))
    assert (code, first.startswith("[1 of about 2]")) == (ExitCode.FINE, True)


@pytest.mark.long
def test_without_a_network_and_with_nothing_there_one_sentence_is_all(newcomer: User) -> None:
    newcomer.variables |= {"PIP_FIND_LINKS": "/nowhere"}
    code, _, err = newcomer.run("sweep", "mine.toml")
    assert code == ExitCode.USAGE
    (sentence,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert sentence.startswith(
        "error: nothing to run: the environment mine cannot be made: Could not find a version that satisfies the "
    )
    assert "tiny==1.0" in sentence
    assert not (newcomer.folder / "runs").exists()
    assert not list(newcomer.home.glob("environments/*/"))


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_an_environment_is_made_ends_in_order_and_leaves_nothing(
    newcomer: User, number: signal.Signals
) -> None:
    with newcomer.start("sweep", "mine.toml") as program:
        assert program.stdout is not None
        while "installs" not in program.stdout.readline():
            pass
        time.sleep(0.1)
        family = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(number)
        out, err = program.communicate(timeout=60)
    assert (program.returncode, "Traceback" in err) == (ExitCode.INTERRUPTED, False)
    assert "Interrupted: environments created before are kept" in out
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert not (newcomer.folder / "runs").exists()
    assert not list(newcomer.home.glob("environments/*/"))


@pytest.mark.long
def test_a_killed_creation_leaves_none_of_the_installers_temporary_files(
    newcomer: User, soon: Callable[[Callable[[], bool]], bool]
) -> None:
    temporary = newcomer.folder / "temporary"
    temporary.mkdir()
    newcomer.variables["TMPDIR"] = str(temporary)
    with newcomer.start("env", "create", "mine", "--file", "mine.toml") as program:
        assert soon(lambda: any(temporary.rglob("pip-*")))
        program.kill()
    assert soon(lambda: list(temporary.iterdir()) == [])
    assert newcomer.run("env", "create", "mine", "--file", "mine.toml")[0] == ExitCode.FINE
    assert list(temporary.iterdir()) == []


@pytest.mark.long
def test_two_sweeps_at_once_share_one_environment(newcomer: User) -> None:
    create = ("env", "create", "mine", "--file", "mine.toml")
    with newcomer.start(*create) as one, newcomer.start(*create) as other:
        said = [program.communicate(timeout=120) for program in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), said
    assert sum("installs 4 packages" in out for out, _ in said) == 1
    assert len(list(newcomer.home.glob("environments/*/ready.json"))) == 1


@pytest.mark.long
def test_a_run_is_not_resumed_in_an_environment_that_has_changed(owner: User) -> None:
    with owner.start("sweep", "mine.toml", "--blocks", "2") as program:
        assert program.stdout is not None
        while "[1 of about" not in program.stdout.readline():
            pass
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
    (marker,) = owner.home.glob("environments/*/ready.json")
    said = json.loads(marker.read_text())
    said["environment"] |= {"freeze": "0" * 16, "packages": said["environment"]["packages"] | {"tiny": "1.1"}}
    marker.write_text(json.dumps(said))
    code, _, err = owner.run("resume", "latest")
    assert code == ExitCode.USAGE
    assert "environment mine (freeze " in err
    assert "tiny 1.0 is now 1.1; begin a new run" in err
    assert owner.run("resume", "latest", "--force")[0] == ExitCode.FINE
    assert "tiny 1.0 is now 1.1" in manifest(owner)["mixed"][0]


@pytest.mark.long
def test_a_lock_is_what_requirements_came_to_and_makes_the_same_environment(user: User) -> None:
    code, _, _ = user.run("env", "lock", "mine", "--file", "mine.toml", "--output", "mine.lock")
    text = (user.folder / "mine.lock").read_text()
    assert code == ExitCode.FINE
    assert "tiny==1.0 \\\n    --hash=sha256:" in text
    assert str(user.folder) not in text
    (user.folder / "locked.toml").write_text(SWEEP.replace('requirements = ["tiny==1.0"]', 'lock = "mine.lock"'))
    (made,) = user.says("env", "create", "mine", "--file", "locked.toml")
    assert made["freeze"] == manifest(user)["environments"]["mine"]["freeze"]


def test_the_list_has_what_is_there_with_its_size_and_what_would_be_made(user: User) -> None:
    said = user.says("env", "list", "--file", "mine.toml")
    states = {each["name"]: each["state"] for each in said["environments"]}
    assert (states["mine"], states["torch"]) == ("ready", "made on first use")
    assert said["size_bytes"] > 0
    assert said["home"] == str(user.home)
    assert "mine" in user.run("env", "list", "--file", "mine.toml")[1]


def test_show_tells_an_environments_story(user: User) -> None:
    said = user.says("env", "show", "mine", "--file", "mine.toml")
    assert (said["packages"]["tiny"], said["installer"], said["asked"][0]) == ("1.0", "pip", "tiny==1.0")
    assert Path(said["log"]).is_file()
    assert "tiny 1.0" in user.run("env", "show", "mine", "--file", "mine.toml")[1]


def test_the_doctor_of_environments_finds_them_sound(user: User) -> None:
    said = user.says("env", "doctor")
    assert said["verdict"] in ("fit", "fit with reservations")
    assert any("unchanged since it was made" in finding["what"] for finding in said["findings"])


def read_tree(folder: Path) -> dict[Path, bytes]:
    """Return every file below a folder with its content, and every link with its target."""
    found = ((path, path.lstat().st_mode) for path in folder.rglob("*"))
    return {
        path: os.fsencode(path.readlink()) if stat.S_ISLNK(mode) else path.read_bytes()
        for path, mode in found
        if not stat.S_ISDIR(mode)
    }


def test_pruning_all_and_one_by_name_removes_nothing(owner: User) -> None:
    before = read_tree(owner.home)
    assert {"ready.json", "requirements.txt"} <= {path.name for path in before}
    assert any(path.parent.name == "resolved" for path in before)
    for arguments in (["mine", "--all"], ["--all", "mine", "--json"], ["--all", "torch", "mine"]):
        code, out, err = owner.run("env", "prune", *arguments)
        named = ", ".join(each for each in arguments if not each.startswith("-"))
        assert err == f"error: prune removes {named} or, with --all, everything; leave one of the two out\n"
        assert (code, out) == (ExitCode.USAGE, "")
        assert read_tree(owner.home) == before


def test_pruning_all_leaves_nothing_but_locks(owner: User) -> None:
    assert owner.says("env", "prune") == []
    (removed,) = owner.says("env", "prune", "--all")
    assert removed["removed"]
    assert not list(owner.home.glob("environments/*/"))
    assert not list(owner.home.glob("resolved/*.txt"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("env create tensorfow", "unknown environment 'tensorfow'; did you mean tensorflow or tensorflow-export?"),
        ("env create current", "current is an existing interpreter, used as it is; name an environment such as torch"),
        ("env show /no/such/python", "/no/such/python is not an executable interpreter"),
        (
            "plan --frameworks tensorflow@new:eager",
            "the environment tensorflow@new: 'new' is not a version; write it as in",
        ),
        ("plan --frameworks torch --env jax", "nothing to run: the environment jax is for jax, and torch is not in it"),
        (
            "plan number.toml",
            "number.toml:4: environments.mine.python: input should be a valid string, not 3.1; quote it",
        ),
        ("plan both.toml", "both.toml:1: environments.mine: should have either requirements or a lock"),
        (
            "plan pythons.toml",
            "the environment mine: the requested version is Python 3.9, and workers need 3.11 to 3.13",
        ),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_made(user: User, arguments: str, sentence: str) -> None:
    table = '[environments.mine]\n\nrequirements = ["tiny"]\n'
    (user.folder / "number.toml").write_text(f"{table}python = 3.10\n")
    (user.folder / "both.toml").write_text(f'{table}lock = "x"\n')
    axes = '[axes]\nframeworks = ["numpy"]\nenvironment = ["mine"]\n'
    (user.folder / "pythons.toml").write_text(f'{axes}{table}python = "3.9"\n')
    code, out, err = user.run(*arguments.split())
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1
