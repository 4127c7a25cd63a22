"""Every fault of a job is reported by the worker's last event, or by its exit status."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.base import OLDEST_VERSION, SCHEMA_VERSION
from schemas.event import Event, Failure

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Reported, Work

NOTHING_HEAVY = """
import sys
import workers.__main__
print(sorted({"numpy", "torch", "tensorflow"} & set(sys.modules)))
"""

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


def failure(event: Event) -> Failure:
    assert isinstance(event, Failure), event
    return event


@pytest.mark.parametrize(("task", "tensor"), [("forward", "output"), ("backward", "loss")])
def test_an_output_that_is_off_by_a_thousandth_is_wrong(
    ask: "Ask", reported: "Reported", task: str, tensor: str
) -> None:
    found = reported(ask("synthetic", "wrong", "synthetic", {"spin_ns": 0}, task=task))
    assert found.verification.reason.startswith(f"{tensor} is off by 0.001 ")
    assert found.samples_ns


def test_outputs_that_are_not_finite_are_wrong(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("synthetic", "garbage", "synthetic", {"spin_ns": 0}))
    assert "not finite" in found.verification.reason
    assert not any(check.passed or check.error is not None for check in found.verification.checks)


def test_a_result_that_does_not_depend_on_the_inputs_is_wrong_from_the_second_set_on(
    ask: "Ask", reported: "Reported"
) -> None:
    found = reported(ask("synthetic", "constant", "synthetic")).verification
    assert "on input set 1, second call" in found.reason
    assert all(check.passed for check in found.checks if check.inputs == "input set 0, first call")


def test_gradients_that_are_left_out_are_wrong(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("synthetic", "unused", "synthetic")).verification
    assert found.reason.startswith("gradient of w is missing")


def test_every_compilation_during_the_samples_is_counted(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("synthetic", "recompiling", "synthetic", {"spin_ns": 100_000}))
    # The calls after each reading of the counters, which are not timed, compile as well.
    untimed = len(found.noise.canary_ns) * max(1, found.calls // 10)
    assert found.compilations == found.calls * len(found.samples_ns) + untimed


def test_a_call_that_raises_is_a_failure_that_names_file_and_line(ask: "Ask", work: "Work") -> None:
    ended = work(ask("synthetic", "raise", "synthetic"))
    last = failure(ended.events[-1])
    assert (ended.status, last.outcome) == (0, "raised")
    assert last.reason == "ArithmeticError: the synthetic worker was told to raise"
    file, line = last.where.rsplit(":", 1)
    assert "raise ArithmeticError" in Path(file).read_text().splitlines()[int(line) - 1]
    assert "Traceback" in ended.log


def test_a_crash_leaves_the_phase_as_the_last_event_and_the_signal_as_the_status(ask: "Ask", work: "Work") -> None:
    ended = work(ask("synthetic", "crash", "synthetic"))
    assert ended.status == -signal.SIGSEGV
    assert ended.output.endswith(b'{"kind":"phase","name":"first_call"}\n')


def test_memory_that_cannot_be_had_is_a_failure_of_that_name(ask: "Ask", work: "Work") -> None:
    last = failure(work(ask("synthetic", "spin", "synthetic", {"hold_mib": 10**9})).events[-1])
    assert last.outcome == "out-of-memory"


@needs_torch
def test_memory_that_a_framework_cannot_have_is_a_failure_of_that_name(ask: "Ask", work: "Work") -> None:
    more_than_any_address_space = {"input": 1, "width": 4_300_000, "depth": 2, "output": 1}
    spec = ask("torch", "eager", "mlp", more_than_any_address_space, batch=4_300_000, task="forward", dtype="float64")
    last = failure(work(spec).events[-1])
    assert "allocate" in last.reason
    assert last.outcome == "out-of-memory"


@needs_torch
def test_a_workload_without_an_implementation_for_the_framework_is_unsupported(ask: "Ask", work: "Work") -> None:
    last = failure(work(ask("torch", "eager", "synthetic")).events[-1])
    assert last.outcome == "unsupported"
    assert "the workload synthetic has no implementation for torch" in last.reason


@pytest.mark.parametrize(
    ("framework", "mode", "workload", "named"),
    [
        ("synthetic", "spin", "no_such_workload", "no_such_workload"),
        ("no_such_framework", "spin", "synthetic", "no_such_framework"),
        pytest.param("synthetic", "no_such_mode", "synthetic", "no_such_mode"),
    ],
)
def test_a_name_that_nobody_knows_is_a_failure_that_says_it(
    ask: "Ask", work: "Work", framework: str, mode: str, workload: str, named: str
) -> None:
    ended = work(ask(framework, mode, workload))
    assert ended.status == 0
    assert named in failure(ended.events[-1]).reason


@pytest.mark.parametrize(
    ("message", "complaint"),
    [(b"", "EOF"), (b"{not json", "Invalid JSON"), (b"\xff\xfe", "Invalid JSON"), (b"{}", "Field required")],
)
def test_a_spec_that_cannot_be_read_is_a_failure_that_says_why(work: "Work", message: bytes, complaint: str) -> None:
    (only,) = work(message).events
    assert "cannot read its spec" in failure(only).reason
    assert complaint in failure(only).reason


def test_a_spec_of_another_schema_version_is_refused_and_both_versions_are_named(ask: "Ask", work: "Work") -> None:
    spec = ask("synthetic", "spin", "synthetic").model_dump_json()
    ended = work(spec.replace(f'"schema_version":{SCHEMA_VERSION}', '"schema_version":99', 1).encode())
    (only,) = ended.events
    assert f"schema version 99 is not supported, only {OLDEST_VERSION} to {SCHEMA_VERSION}" in failure(only).reason


def test_a_spec_with_a_field_that_nobody_knows_is_refused(ask: "Ask", work: "Work") -> None:
    spec = ask("synthetic", "spin", "synthetic").model_dump_json()
    ended = work(spec.replace("{", '{"no_such_field":1,', 1).encode())
    (only,) = ended.events
    assert "no_such_field" in failure(only).reason


def test_a_variable_that_is_not_what_was_asked_for_is_seen_in_the_report(ask: "Ask", work: "Work") -> None:
    asked = {"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3", "SET_BY_NOBODY": "3"}
    spec = ask("synthetic", "spin", "synthetic", {"spin_ns": 0}).model_copy(update={"variables": asked})
    message = spec.model_dump_json().encode()
    settings = work(message, OMP_NUM_THREADS="3", MKL_NUM_THREADS="2").report.settings
    found = {setting.name: (setting.asked, setting.got, setting.honoured) for setting in settings}
    assert found["OMP_NUM_THREADS"] == ("3", "3", True)
    assert found["MKL_NUM_THREADS"] == ("3", "2", False)
    assert found["SET_BY_NOBODY"] == ("3", "", False)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin processes")
def test_a_worker_runs_on_the_cores_of_its_spec_and_reads_them_back(ask: "Ask", work: "Work") -> None:
    core = max(os.sched_getaffinity(0))
    spec = ask("synthetic", "spin", "synthetic", {"spin_ns": 0}).model_copy(update={"cpus": (core,)})
    (found,) = (setting for setting in work(spec).report.settings if setting.name == "cores")
    assert (found.asked, found.got) == (str(core), str(core))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin processes")
def test_a_core_that_does_not_exist_is_a_failure(ask: "Ask", work: "Work") -> None:
    spec = ask("synthetic", "spin", "synthetic").model_copy(update={"cpus": (1023,)})
    assert failure(work(spec).events[-1]).outcome == "raised"


def test_a_worker_has_imported_nothing_heavy_before_its_import_is_timed(python: "Python") -> None:
    assert python(NOTHING_HEAVY).output.strip() == b"[]"


def test_a_known_time_is_a_lower_bound_of_every_sample(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("synthetic", "spin", "synthetic", {"spin_ns": 250_000}))
    assert found.calls > 1
    assert min(found.samples_ns) >= found.calls * 250_000
    assert min(took / calls for calls, took in found.warmup) >= 250_000


@pytest.mark.measures
def test_compiling_and_what_is_compiled_take_their_known_times(ask: "Ask", reported: "Reported") -> None:
    times = {"spin_ns": 900_000, "compile_ns": 30_000_000, "compiled_ns": 250_000}
    found = reported(ask("synthetic", "compiled", "synthetic", times))
    (compiling,) = (cost for cost in found.phases if cost.name == "compile")
    assert compiling.wall_ns >= 30_000_000
    assert 250_000 <= min(found.samples_ns) / found.calls < 900_000


def test_a_given_number_of_calls_is_kept(ask: "Ask", work: "Work") -> None:
    spec = ask("synthetic", "spin", "synthetic", {"spin_ns": 0})
    timing = spec.timing.model_copy(update={"calls": 17, "samples": 4})
    found = work(spec.model_copy(update={"timing": timing})).report
    assert (found.calls, len(found.samples_ns)) == (17, 4)
