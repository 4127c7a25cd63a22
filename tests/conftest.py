"""What holds for all tests, and the report that a job comes to when all goes well."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from schemas.event import Report
from tests.selection import mark_exhaustive
from tests.templates import end_templates

WORKER_TESTS = Path(__file__).with_name("workers")

settings.register_profile("plumbline", deadline=None)
settings.register_profile("long", deadline=None, max_examples=250_000)  # pytest --hypothesis-profile=long
settings.load_profile("plumbline")

QUIET = {
    "run_delay_ns": (0, 0, 0),
    "steal_ns": (0, 0, 0),
    "pressure_ns": (0, 0, 0),
    "cpu_ns": (),
    "canary_ns": (9, 9, 9),
    "involuntary_switches": 0,
    "major_faults": 0,
    "migrations": 0,
    "throttled": 0,
    "threads": 1,
}


def a_report(call_ns: int = 1000, **changes: object) -> Report:
    """Of a process whose fastest sample took `call_ns` a call, and the others one per cent more."""
    samples_ns = (101 * call_ns, 100 * call_ns, 101 * call_ns)
    plain = {
        "versions": {"numpy": "2.0"},
        "settings": (),
        "verification": {"checks": ()},
        "inputs_sha256": "ab",
        "phases": (
            {"name": "import", "wall_ns": 10**8, "cpu_ns": 10**8},
            {"name": "first_call", "wall_ns": 10**6, "cpu_ns": 10**6},
        ),
        "warmup": ((1, 9 * call_ns), (1, 2 * call_ns)),
        "calls": 100,
        "samples_ns": samples_ns,
        "noise": QUIET | {"cpu_ns": samples_ns},
        "overhead": {"null_ns": 20, "clock_ns": 30, "linearity": 2.0},
        "work": {"flops": 1, "bytes": 1},
        "ceiling": {"flops_per_s": 1e12, "bytes_per_s": 1e12},
        "compilations": 0,
    }
    return Report.model_validate(plain | changes)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what only the exhaustive suite runs, before anything is selected by its marks."""
    mark_exhaustive(items)


@pytest.fixture(scope="session", autouse=True)
def hear_signals() -> None:
    """Hear a hangup and Ctrl-C, which `nohup` and a shell's background jobs ignore, also in what the tests start."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees, uses or makes an environment of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUMBLINE_HOME", str(tmp_path_factory.mktemp("plumbline")))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_core_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test waits for the cores of a sweep that somebody runs beside the tests, nor keeps that one from them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUMBLINE_LOCKS", str(tmp_path_factory.mktemp("locks")))
        yield


@pytest.fixture(scope="session", autouse=True)
def last_templates() -> Iterator[None]:
    """No template outlives the tests."""
    yield
    end_templates()


@pytest.fixture(autouse=True)
def no_templates(request: pytest.FixtureRequest) -> None:
    """No test but those of the workers has templates among its child processes."""
    if WORKER_TESTS not in request.path.parents:
        end_templates()


@pytest.fixture
def make_report() -> Callable[..., Report]:
    return a_report
