"""Environments are made by the real pip, from wheels of a few bytes."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.environments import installers
from orchestrator.environments.cache import MARKER, EnvironmentCache, find_python, locate_lock, read_marker
from orchestrator.environments.definitions import BUILT_IN, EnvironmentDefinition
from orchestrator.environments.provisioner import Interrupted
from orchestrator.errors import UsageError
from orchestrator.files import lock
from orchestrator.files.atomic import read_model
from orchestrator.processes.signals import Interrupts
from orchestrator.report.environments import format_progress
from orchestrator.selftest.cpu_hog import ManualInterrupts
from schemas.environment import EnvironmentMarker
from tests.orchestrator.environments.conftest import RecordedProvisioner
from tests.orchestrator.environments.wheels import make_offline_variables, make_wheel

Define = Callable[..., EnvironmentDefinition]


def imported(shop: RecordedProvisioner, definition: EnvironmentDefinition, module: str) -> str:
    """Return the version of a module that the environment's interpreter imports."""
    command = [str(find_python(shop.folder(definition))), "-I", "-c", f"import {module}; print({module}.VERSION)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_has_exactly_what_was_asked_and_what_that_needs(
    made: RecordedProvisioner, define: Define
) -> None:
    ready = read_marker(made.folder(define()))
    assert ready is not None
    assert ready.environment.packages == {
        "autograd": "1.9",
        "helper": "0.5",
        "numpy": "2.9",
        "pydantic": "2.99",
        "tiny": "1.0",
    }
    assert imported(made, define(), "tiny") == "1.0"
    assert {"tiny", "helper", "numpy", "pydantic", "autograd"} <= set(ready.modules)
    assert ready.asked == ("tiny==1.0", "numpy", "pydantic>=2.10", "autograd>=1.9")


def test_bytecode_is_there_from_the_start(made: RecordedProvisioner, define: Define) -> None:
    assert list(made.folder(define()).glob("lib/python3.*/site-packages/__pycache__/tiny.*.pyc"))


def test_what_is_there_is_not_made_again(made: RecordedProvisioner, define: Define) -> None:
    before = len(made.events)
    assert made.list_events()[:3] == ["Resolving", "Making", "Made"]
    assert made.make(define()) == [read_marker(made.folder(define()))]
    assert len(made.events) == before


def test_the_marker_is_the_last_thing_that_is_written(made: RecordedProvisioner, define: Define) -> None:
    folder = made.folder(define())
    marker = folder / MARKER
    assert read_model(marker, EnvironmentMarker) == read_marker(folder)
    others = [path for path in folder.rglob("*") if path != marker and not path.is_symlink() and path.is_file()]
    assert max(path.stat().st_mtime_ns for path in others) <= marker.stat().st_mtime_ns


@pytest.mark.long
def test_another_version_is_another_environment_and_leaves_the_first_alone(
    shop: RecordedProvisioner, define: Define
) -> None:
    one, other = shop.make(define(), define("tiny==2.0"))
    assert one.environment.freeze != other.environment.freeze
    assert imported(shop, define(), "tiny") == "1.0"
    assert imported(shop, define("tiny==2.0"), "tiny") == "2.0"


@pytest.mark.long
@pytest.mark.parametrize("harm", ["no marker", "no python"])
def test_an_environment_that_is_not_whole_is_made_anew(
    made: RecordedProvisioner, shop: RecordedProvisioner, define: Define, harm: str
) -> None:
    shutil.copytree(made.home.root, shop.home.root, symlinks=True)
    folder = shop.folder(define())
    (folder / MARKER if harm == "no marker" else find_python(folder)).unlink()
    (folder / "left over").touch()
    assert read_marker(folder) is None
    shop.make(define())
    assert shop.list_events() == ["Making", "Made"]
    assert not (folder / "left over").exists()
    assert imported(shop, define(), "tiny") == "1.0"


@pytest.mark.long
def test_a_requirement_that_nothing_fits_is_named_and_nothing_is_begun(
    shop: RecordedProvisioner, define: Define
) -> None:
    with pytest.raises(UsageError, match=r"the environment tiny cannot be made: .*tiny==9\.0") as failed:
        shop.make(define("tiny==2.0"), define("tiny==9.0"))
    assert "Making" not in shop.list_events()
    log = Path(str(failed.value).rpartition("log is ")[2])
    assert "tiny==9.0" in log.read_text()


def test_a_version_that_does_not_exist_is_explained_with_the_newest_that_do(
    shop: RecordedProvisioner, define: Define
) -> None:
    with pytest.raises(UsageError, match=r"cannot be made: there is no tiny==9\.0; the newest are 2\.0, 1\.0; "):
        shop.make(define("tiny==9.0"))


@pytest.mark.long
def test_a_version_that_does_not_exist_is_not_blamed_on_a_constraint_in_the_settings(
    home: EnvironmentCache, shelf: Path, tmp_path: Path, define: Define
) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("tiny<=1.5\n")
    installer = installers.choose_installer(make_offline_variables(shelf) | {"PIP_CONSTRAINT": str(constraints)})
    with ManualInterrupts() as silent:
        shop = RecordedProvisioner(home, installer, silent)
        with pytest.raises(UsageError, match=r"cannot be made: there is no tiny==9\.0; the newest are 2\.0, 1\.0; "):
            shop.make(define("tiny==9.0", name="tiny@9.0"))
        with pytest.raises(UsageError, match=r"a constraint in pip's settings asks for tiny<=1\.5"):
            shop.make(define("tiny==2.0", name="tiny@2.0"))


@pytest.mark.long
def test_those_that_cannot_be_made_are_noted_and_the_others_are_made(shop: RecordedProvisioner, define: Define) -> None:
    failures: dict[str, str] = {}
    wanted = [define("tiny==9.0", name="lost", stem="lost"), define("tiny==2.0")]
    made = shop.workshop.make_environments([shop.locate(each) for each in wanted], failures)
    assert [each.name for each in made] == ["tiny"]
    assert all(each.record is not None for each in made)
    assert failures.keys() == {"lost"}
    assert failures["lost"].startswith("the environment lost cannot be made: there is no tiny==9.0; ")


@pytest.fixture
def cuda_shelf(shelf: Path) -> Iterator[None]:
    """Add a framework whose build needs NVIDIA's libraries to what the installer finds, for a while."""
    added = [make_wheel(shelf, "nvidia_cublas_cu12", "12.8"), make_wheel(shelf, "large", "1.0", ["nvidia-cublas-cu12"])]
    added.append(make_wheel(shelf, "nvidia_ml_py", "13.0"))
    yield
    for wheel in added:
        wheel.unlink()


@pytest.mark.usefixtures("cuda_shelf")
def test_a_cuda_build_is_not_installed_untold_where_there_is_no_gpu(shop: RecordedProvisioner, define: Define) -> None:
    built_in = define("large==1.0", name="large@1.0", stem="large", origin=BUILT_IN)
    with pytest.raises(UsageError) as refused:
        shop.make(built_in)
    assert str(refused.value).startswith(
        "the environment large@1.0 would be a CUDA build, with nvidia-cublas-cu12, and this machine has no NVIDIA GPU; "
        "add an index with CPU builds to the settings of pip"
    )
    assert shop.list_events() == ["Resolving"]
    assert list(shop.home.list_folders()) == []


@pytest.mark.long
@pytest.mark.usefixtures("cuda_shelf")
def test_a_cuda_build_is_installed_for_a_gpu_or_where_a_user_has_defined_it(
    shop: RecordedProvisioner, define: Define
) -> None:
    (mine,) = shop.make(define("large==1.0", name="mine", stem="mine"))
    assert mine.environment.has_cuda_build
    assert format_progress(shop.events[1]) == (
        "environment mine: pip installs 5 packages, with a CUDA build among them"
    )
    workshop = replace(shop.workshop, has_gpu=True)
    (made,) = workshop.make_environments([shop.locate(define("large==1.0", stem="large", origin=BUILT_IN))])
    assert made.record is not None
    assert made.cuda_packages == ["nvidia-cublas-cu12"]


@pytest.mark.long
@pytest.mark.usefixtures("cuda_shelf")
def test_a_default_version_is_installed_even_as_a_cuda_build_and_its_line_says_so(
    shop: RecordedProvisioner, define: Define
) -> None:
    (made,) = shop.make(define("large==1.0", name="large", stem="large", origin=BUILT_IN))
    assert made.environment.has_cuda_build
    assert format_progress(shop.events[1]) == (
        "environment large: pip installs 5 packages, with a CUDA build among them"
    )


@pytest.mark.long
@pytest.mark.usefixtures("cuda_shelf")
def test_what_reads_the_counters_of_a_gpu_makes_no_cuda_build(shop: RecordedProvisioner, define: Define) -> None:
    (made,) = shop.make(define("nvidia-ml-py==13.0", origin=BUILT_IN))
    assert not made.environment.has_cuda_build


def test_requirements_that_exclude_each_other_are_both_named(shop: RecordedProvisioner, define: Define) -> None:
    with pytest.raises(UsageError, match=r"tiny==1\.0.*tiny==2\.0.*conflict"):
        shop.make(define("tiny==1.0", "tiny==2.0"))


@pytest.mark.long
def test_an_installation_that_fails_leaves_its_log_and_no_environment(
    shop: RecordedProvisioner, define: Define, shelf: Path, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path / "fragile", "fragile", "1.0")
    definition = define(f"fragile @ {wheel.as_uri()}", name="fragile", stem="fragile")
    resolved = shop.workshop.resolve_requirements(shop.locate(definition))
    make_wheel(tmp_path / "fragile", "fragile", "1.0", files={"fragile.py": "VERSION = 'another file'\n"})
    with pytest.raises(UsageError, match=r"DO NOT MATCH THE HASHES.*: fragile@ file:") as failed:
        shop.workshop.make_environments([resolved])
    assert Path(str(failed.value).rpartition("log is ")[2]).is_file()
    assert list(shop.home.list_folders()) == []


def test_a_lock_is_installed_without_being_resolved(shop: RecordedProvisioner, define: Define) -> None:
    pinned = ("autograd==1.9", "helper==0.5", "numpy==2.9", "pydantic==2.99", "tiny==2.0")
    (ready,) = shop.make(define(requirements=(), pinned=pinned))
    assert shop.list_events() == ["Making", "Made"]
    assert ready.environment.packages["tiny"] == "2.0"


@pytest.mark.long
def test_what_requirements_came_to_stays_until_it_is_forgotten(
    shop: RecordedProvisioner, define: Define, shelf: Path, tmp_path: Path
) -> None:
    definition = define("helper", name="growing", stem="growing")
    shop.make(definition)
    newer = make_wheel(shelf, "helper", "0.6")
    try:
        (ready,) = shop.make(definition)
        assert ready.environment.packages["helper"] == "0.5"
        shop.home.remove_resolutions()
        (ready,) = shop.make(definition)
        assert ready.environment.packages["helper"] == "0.6"
    finally:
        newer.unlink()


@pytest.mark.long
def test_two_who_need_the_same_make_it_once(shop: RecordedProvisioner, define: Define) -> None:
    other = RecordedProvisioner(shop.home, shop.installer, shop.interrupts)
    second = threading.Thread(target=other.make, args=[define()])
    folder = shop.workshop.resolve_requirements(shop.locate(define())).folder
    assert folder is not None
    with lock.hold_exclusive(locate_lock(folder), "4711"):
        second.start()
        while not other.events:
            time.sleep(0.01)
    second.join()
    assert other.list_events() == ["Waiting", "Making", "Made"]
    assert shop.make(define()) == [read_marker(folder)]
    assert shop.list_events() == ["Resolving"]


@pytest.mark.long
@pytest.mark.parametrize("step", ["Resolving", "Making"])
def test_a_signal_ends_the_installer_and_leaves_nothing_half_made(
    shop: RecordedProvisioner, define: Define, step: str
) -> None:
    silent = shop.interrupts
    with Interrupts() as interrupts:

        def interrupt(event: object) -> None:
            if type(event).__name__ == step:
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

        shop.interrupts, shop.events = interrupts, Heard(interrupt)
        with pytest.raises(Interrupted):
            shop.make(define())
    assert list(shop.home.list_folders()) == []
    again = RecordedProvisioner(shop.home, shop.installer, silent)
    again.make(define())
    assert imported(again, define(), "tiny") == "1.0"


class Heard(list):  # type: ignore[type-arg]
    """List that reports what is added."""

    def __init__(self, tell: Callable[[object], None]) -> None:
        super().__init__()
        self.append = tell  # type: ignore[method-assign]


def test_another_python_has_an_environment_of_its_own(made: RecordedProvisioner, define: Define) -> None:
    ours = made.locate(define())
    theirs = replace(ours, build="another build").pin_versions(ours.pinned, made.home)
    assert theirs.folder != ours.folder
    assert theirs.request_key != ours.request_key
