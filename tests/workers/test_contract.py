"""Real workers of every framework and mode compute what the reference computes, from the same data, as asked."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from schemas.catalog import FRAMEWORKS
from schemas.event import Report

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported

WORKLOADS = ("rnn_cell", "rnn", "mlp")
MODES = [(known.name, mode.name) for known in FRAMEWORKS if known.name != "synthetic" for mode in known.modes]
PREPARED = {"torch:trace": "trace", "torch:script": "compile", "tensorflow:function": "trace"}


@dataclass(frozen=True)
class Job:
    """One cell with a batch of three, in few words."""

    framework: str
    mode: str
    workload: str
    task: str = "backward"
    dtype: str = "float32"
    parameters: dict[str, int] = field(default_factory=dict)

    def run(self, ask: "Ask", reported: "Reported") -> Report:
        return reported(
            ask(self.framework, self.mode, self.workload, self.parameters, task=self.task, dtype=self.dtype, batch=3)
        )

    def __str__(self) -> str:
        sizes = [f"{name}={size}" for name, size in self.parameters.items()]
        return " ".join([f"{self.framework}:{self.mode}", self.workload, self.task, self.dtype, *sizes])


FIXED = {"fixed_length": 1}
BACKWARD = [Job(*mode, workload) for mode in MODES for workload in WORKLOADS]
BAKED_IN = Job("torch", "trace", "rnn")
OTHERS = [
    Job("torch", "trace", "rnn", parameters=FIXED),
    Job("torch", "eager", "rnn", "forward", "float64"),
    Job("torch", "trace", "mlp", "forward"),
    Job("torch", "script", "rnn_cell", "forward", "bfloat16"),
    Job("tensorflow", "eager", "rnn_cell", "forward"),
    Job("tensorflow", "function", "rnn", "forward", "bfloat16"),
    Job("numpy", "eager", "rnn", "forward", "float64"),
]
RIGHT = [job for job in BACKWARD if job != BAKED_IN] + OTHERS

every_right_job = pytest.mark.parametrize("job", RIGHT, ids=str)
every_job = pytest.mark.parametrize("job", [*RIGHT, BAKED_IN], ids=str)


@every_right_job
def test_it_computes_what_the_reference_computes(ask: "Ask", reported: "Reported", job: Job) -> None:
    found = job.run(ask, reported).verification
    assert found.reason == ""
    assert [check for check in found.checks if not check.passed] == []


@every_right_job
def test_output_or_loss_and_every_gradient_are_verified_on_two_sets_of_inputs_and_in_the_last_timed_call(
    ask: "Ask", reported: "Reported", job: Job
) -> None:
    weights = {"rnn_cell": ["W_h", "W_x"], "rnn": ["W_h", "W_x"], "mlp": ["W_0", "b_0", "W_1", "b_1", "W_2", "b_2"]}
    due = ["output"] if job.task == "forward" else ["loss", *(f"gradient of {name}" for name in weights[job.workload])]
    checks = job.run(ask, reported).verification.checks
    verified = {check.inputs for check in checks if check.inputs.startswith("input set")}
    assert {inputs.rpartition(", ")[2] for inputs in verified} == {"first call", "second call", "last timed call"}
    assert len({inputs.partition(",")[0] for inputs in verified}) >= 2
    for inputs in verified:
        assert [check.tensor for check in checks if check.inputs == inputs] == due


@every_job
def test_every_setting_is_honoured(ask: "Ask", reported: "Reported", job: Job) -> None:
    settings = job.run(ask, reported).settings
    assert [setting for setting in settings if not setting.honoured] == []
    assert {setting.name for setting in settings if setting.asked is not None} >= {"OMP_NUM_THREADS"}


@every_job
def test_it_reports_its_versions_and_ten_samples_after_a_warm_up(ask: "Ask", reported: "Reported", job: Job) -> None:
    found = job.run(ask, reported)
    assert any(name.startswith(job.framework) for name in found.versions)
    assert len(found.samples_ns) == 10
    assert len(found.warmup) > 2


@every_job
def test_only_a_mode_that_traces_or_compiles_has_such_a_phase(ask: "Ask", reported: "Reported", job: Job) -> None:
    phases = {cost.name for cost in job.run(ask, reported).phases}
    prepared = PREPARED.get(f"{job.framework}:{job.mode}")
    assert phases & {"trace", "compile"} == ({prepared} if prepared else set())


@pytest.mark.parametrize("mode", ["trace", "script"])
def test_a_deprecated_mode_reports_its_deprecation_once(ask: "Ask", reported: "Reported", mode: str) -> None:
    warnings = Job("torch", mode, "mlp").run(ask, reported).warnings
    assert len([warning for warning in warnings if warning.startswith("DeprecationWarning")]) == 1
    assert len(set(warnings)) == len(warnings)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_framework_and_mode_has_the_same_weights_and_inputs(
    ask: "Ask", reported: "Reported", workload: str
) -> None:
    jobs = [job for job in BACKWARD if job.workload == workload]
    assert len({job.run(ask, reported).inputs_sha256 for job in jobs}) == 1


def test_another_workload_has_other_weights_and_inputs(ask: "Ask", reported: "Reported") -> None:
    jobs = [Job("numpy", "eager", workload) for workload in WORKLOADS]
    assert len({job.run(ask, reported).inputs_sha256 for job in jobs}) == len(WORKLOADS)


def test_a_traced_loop_is_wrong_because_it_fails_on_another_length(ask: "Ask", reported: "Reported") -> None:
    found = BAKED_IN.run(ask, reported).verification
    assert re.search(r"inputs of shape \((19|8), 3, 10\) \(3, 20\)", found.reason)
    assert all(check.passed for check in found.checks if check.inputs.startswith("input set"))


@pytest.mark.parametrize("job", [job for job in RIGHT if job.workload == "rnn" and job.parameters != FIXED], ids=str)
def test_a_loop_that_is_not_baked_in_is_right_on_a_longer_and_a_shorter_sequence(
    ask: "Ask", reported: "Reported", job: Job
) -> None:
    inputs = {check.inputs for check in job.run(ask, reported).verification.checks if check.passed}
    assert inputs >= {"inputs of shape (19, 3, 10) (3, 20)", "inputs of shape (8, 3, 10) (3, 20)"}


@every_right_job
def test_only_a_traced_loop_may_be_wrong(ask: "Ask", reported: "Reported", job: Job) -> None:
    assert (job.run(ask, reported).verification.reason == "") is (job != BAKED_IN)
