"""A job inside a user's test: pytest runs the test again in this process, up to where it compares its callables.

There the job takes place, before anything of the test is torn down. So the callables have all that they had in the
test: fixtures, open files, and the framework's contexts around the comparison.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import own_imports
from schemas.event import Exported, Profiled, Report
from schemas.job import ComputeReference, JobSpec, Measure
from schemas.models import ModelSource, PytestCase
from workers.errors import Malformed, Unsupported
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import carry_out
from workers.models import import_adapter
from workers.models.code.callables import RUNNING
from workers.problem.location import check_code
from workers.process.settings import pin_process
from workers.tasks import measure, reference

Ended = Report | Exported | Profiled

# Without the fixture of the program that started this process, without what the user's settings add to the command
# line, and without files in the user's folder. The output is this job's log.
ARGUMENTS = (
    *("-o", "addopts=", "-s", "-p", "no:cacheprovider", "-p", "no:randomly"),
    *("-p", "no:plumbline", "-p", "no:orchestrator.functions.pytest_plugin"),
)


class Finished(BaseException):
    """The end of a test whose job has taken place. No test catches it as an error of its own."""


class Stage:
    """A plugin of pytest: its fixture `plumbline` acts where the test compares its callables."""

    def __init__(self, case: PytestCase, framework: str, seed: int, act: Callable[[], Ended]) -> None:
        self._case, self._seed, self._act = case, seed, act
        self._adapter = import_adapter(f"{framework}_callables")
        self.ended: Ended | BaseException | None = None
        self.why = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Set the options of the user's conftest.py to the values that they had."""
        config.addinivalue_line("markers", "plumbline(**settings): settings of the comparison in this test")
        for name, value in self._case.options.items():
            setattr(config.option, name, value)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Seed again before the fixtures: imports draw random numbers, and which imports are new differs by framework.

        Another seed, or fixtures would draw what the test's module has drawn.
        """
        self._adapter.prepare_test(self._seed + 1)

    @pytest.fixture
    def plumbline(self) -> "Stage":
        """Return this stage as the fixture that the test asks for."""
        return self

    def compare(self, **callables: Callable[[], Any]) -> None:
        """Act with these callables, and end the test."""
        RUNNING.callables, RUNNING.restore = callables, self._adapter.keep_state()
        try:
            self.ended = self._act()
        except BaseException as error:  # a callable may raise what only pytest knows, such as a skip
            self.ended = error
        raise Finished

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self) -> bool:
        """Refuse the timer of pytest-timeout: a job has a deadline, and signals would disturb it."""
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember why the test ended before its comparison."""
        if not report.passed and not self.why:
            self.why = describe_report(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember why the test cannot be found."""
        if not report.passed and not self.why:
            self.why = describe_report(report)


def describe_report(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the line of what pytest says of a failure that names the error; of a skip, its reason."""
    said = report.longrepr
    if isinstance(said, tuple):
        return str(said[-1])
    # A missing fixture is no crash, and has a text of its own.
    head = getattr(getattr(said, "reprcrash", None), "message", "") or getattr(said, "errorstring", "")
    text = str(head or report.longreprtext)
    lines = [line.removeprefix("E ").strip() for line in text.splitlines() if line.strip()]
    return lines[0 if head else -1] if lines else f"it {report.outcome}"


def run(spec: JobSpec, ledger: Ledger) -> Ended:
    """Run a job inside its test.

    Raises:
        Malformed: the test does not come to its comparison.
        Unsupported: callables of this framework cannot be measured, or not for this purpose.
        Exception: whatever the test or its callables raise.
    """
    match spec.purpose:
        case Measure():
            job = measure.run(spec, ledger)
            next(job)  # the framework is imported and configured before the test needs it, as in any job
            return run_test(spec, lambda: carry_out(job))
        case ComputeReference(path=path):
            if spec.expected is not None:
                return reference.run(spec, Path(path), ledger)
            pin_process(spec)  # the cores, before the test starts threads
            check_code(spec)
            return run_test(spec, lambda: reference.run(spec, Path(path), ledger))
        case _:
            raise Unsupported("the callables of a test are neither saved nor profiled")


def run_test(spec: JobSpec, act: Callable[[], Ended]) -> Ended:
    """Run a test of pytest, and act where it compares its callables.

    Raises:
        Malformed: it does not come to that.
    """
    source = spec.model
    assert source is not None
    assert source.test is not None
    case, framework = source.test, spec.cell.framework
    stage = Stage(case, framework, spec.seed, act)
    enter_folder(case)
    import_adapter(f"{framework}_callables").prepare_test(spec.seed)
    code = pytest.main([f"{source.file}::{case.node}", *case.arguments, *ARGUMENTS], plugins=[stage])
    if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        stage.why = stage.why or "pytest finds no such test"
    return check_end(stage, source, case)


def check_end(stage: Stage, source: ModelSource, case: PytestCase) -> Ended:
    """Return what the job inside a test has come to."""
    if isinstance(stage.ended, Exception):
        raise stage.ended
    if isinstance(stage.ended, BaseException):
        raise Malformed(f"{source.title} ended with {type(stage.ended).__name__}: {stage.ended}", source.file)
    if stage.ended is None:
        why = stage.why or "it ended without one"
        raise Malformed(f"{case.node} did not come to its comparison in another process: {why}", source.file)
    return stage.ended


def enter_folder(case: PytestCase) -> None:
    """Give this process the current folder and the import path of the test's own process."""
    os.chdir(case.folder)
    os.environ.pop("PYTEST_ADDOPTS", None)
    sys.path[:0] = [folder for folder in case.path if folder not in sys.path]
    own_imports.release_names()
