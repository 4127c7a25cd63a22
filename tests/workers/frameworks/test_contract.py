"""Real workers of every framework and mode compute the reference's results from the same data, with every setting."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from schemas.catalog import FRAMEWORKS
from schemas.event import Report
from schemas.judging import CONTINUED
from tests.benchmarks.support import NOT_TRIED, TASKS, CellName, read_support
from tests.selection import mark_long
from tests.workers.conftest import find_missing

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported

# Modes without backward, and modes that compile for so long that a few jobs must suffice.
APART = {
    "script-freeze",
    "script-optimized",
    "compile",
    "compile-dynamic",
    "compile-max-autotune",
    "compile-reduce-overhead",
    "compile-regional",
    "aot-compile",
    "aot",
    "int8-dynamic",
    "torch-compile",
}

BUILT_HERE = [known for known in FRAMEWORKS if known.name != "synthetic" and not known.exporter]
MODES = [(known.name, mode.name) for known in BUILT_HERE for mode in known.modes if mode.name not in APART]
PREPARED_IN = {
    "torch:trace": {"trace"},
    "torch:script": {"compile"},
    "torch:script-freeze": {"compile"},
    "torch:script-optimized": {"compile"},
    "torch:aot": {"trace", "compile", "load"},
    # The import of Dynamo, which torch.compile(...) begins with; the graph is compiled in the first call.
    "torch:compile": {"compile"},
    "torch:compile-dynamic": {"compile"},
    "torch:compile-max-autotune": {"compile"},
    "torch:compile-regional": {"compile"},
    "torch:aot-compile": {"compile"},
    "tensorflow:function": {"trace"},
    "tensorflow:xla": {"trace"},
    "tensorflow:session": {"trace"},
    "jax:jit": {"trace", "compile"},
    "keras:torch-compile": {"compile"},
    "keras:tensorflow-function": {"trace"},
    "keras:tensorflow-xla": {"trace"},
    "keras:jax-jit": {"trace", "compile"},
    "numba:njit": {"compile"},
    "numba:njit-fastmath": {"compile"},
    "numba:njit-parallel": {"compile"},
}
COUNTING = {"function", "xla", "session", "compile", "compile-dynamic", "compile-max-autotune", "jit"}
COUNTING |= {"compile-regional", "aot-compile"}
COUNTING |= {"torch-compile", "tensorflow-function", "tensorflow-xla", "jax-jit"}
COUNTING |= {"njit", "njit-fastmath", "njit-parallel", "lazy"}
DEPRECATIONS = {"trace": 1, "script": 1, "script-freeze": 2, "script-optimized": 3}
WEIGHTS = {"rnn_cell": ["W_h", "W_x"], "rnn": ["W_h", "W_x"], "mlp": ["W_0", "b_0", "W_1", "b_1", "W_2", "b_2"]}


@dataclass(frozen=True)
class Job:
    """One cell with a batch of three, in short form."""

    framework: str
    mode: str
    workload: str
    task: str = "backward"
    dtype: str = "float32"
    parameters: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        sizes = [f"{name}={size}" for name, size in self.parameters.items()]
        return " ".join([f"{self.framework}:{self.mode}", self.workload, self.task, self.dtype, *sizes])


Run = Callable[[Job], Report]

BACKWARD = [Job(*mode, workload) for mode in MODES for workload in WEIGHTS]
BAKED_IN = Job("torch", "trace", "rnn")
FIXED = Job("torch", "trace", "rnn", parameters={"fixed_length": 1})
# TinyJit is unsupported where a length is open.
OF_ONE_SHAPE = Job("tinygrad", "jit", "rnn")
FORWARD = [
    Job("torch", "eager", "rnn", "forward", "float64"),
    Job("torch", "trace", "mlp", "forward"),
    Job("torch", "script", "rnn_cell", "forward", "bfloat16"),
    Job("tensorflow", "eager", "rnn_cell", "forward", "float64"),
    Job("tensorflow", "function", "rnn", "forward", "bfloat16"),
    Job("jax", "eager", "rnn", "forward", "bfloat16"),
    Job("jax", "jit", "rnn", "forward", "float64"),
    Job("numpy", "eager", "rnn", "forward", "float64"),
    Job("torch", "trace", "mlp", "forward", "float16"),
    Job("tensorflow", "function", "mlp", "forward", "float16"),
    Job("jax", "jit", "rnn_cell", "forward", "float16"),
    Job("numpy", "eager", "rnn", "forward", "float16"),
    Job("keras", "torch", "rnn", "forward", "bfloat16"),
    Job("keras", "tensorflow-function", "rnn_cell", "forward", "float64"),
    Job("keras", "jax", "mlp", "forward", "float64"),
    Job("numba", "njit", "rnn", "forward", "float64"),
    Job("numba", "njit-parallel", "mlp", "forward"),
    Job("tinygrad", "lazy", "rnn", "forward", "float64"),
    Job("tinygrad", "jit", "rnn", "forward", parameters={"fixed_length": 1}),
    Job("tinygrad", "jit", "mlp", "forward", "float64"),
]
FROZEN = [
    Job("torch", mode, workload, "forward") for mode in ("script-freeze", "script-optimized") for workload in WEIGHTS
]
FOUR, FOUR_FIXED = {"length": 4}, {"length": 4, "fixed_length": 1}
COMPILED = [
    Job("torch", "compile", "rnn", parameters=FOUR),
    Job("torch", "compile", "rnn_cell", "forward"),
    Job("torch", "compile-dynamic", "rnn", "forward", parameters=FOUR),
    Job("torch", "compile-max-autotune", "mlp"),
    Job("torch", "compile-regional", "gpt", "forward"),
    Job("torch", "aot-compile", "mlp"),
    Job("torch", "aot-compile", "rnn", "forward", parameters=FOUR_FIXED),
    Job("torch", "aot", "mlp", "forward"),
    Job("torch", "aot", "rnn", "forward", parameters=FOUR_FIXED),
    Job("tensorflow", "xla", "rnn", "forward"),
    Job("tensorflow", "session", "rnn", "forward", "bfloat16"),
    Job("keras", "torch-compile", "mlp"),
]
TRAINERS = [(known.name, mode.name) for known in BUILT_HERE for mode in known.modes if "train-sgd" not in known.cannot]
TRAINED = [
    *(Job(*mode, "mlp", "train-adam") for mode in MODES if mode in TRAINERS),
    *(Job(*mode, "rnn", "train-sgd", parameters=FOUR) for mode in MODES if mode in TRAINERS and mode[1] != "trace"),
    Job("torch", "compile", "mlp", "train-sgd"),
    *(
        Job(*mode, "mlp", "train-adamw")
        for mode in TRAINERS
        if mode in MODES and mode[1] in ("eager", "function", "jit")
    ),
    *(Job("keras", mode, "mlp", "train-adamw") for mode in ("torch", "tensorflow-function", "jax-jit")),
    Job("keras", "torch-compile", "mlp", "train-sgd"),
    Job("tensorflow", "session", "mlp", "train-adamw"),
]
RIGHT = [job for job in BACKWARD if job not in (BAKED_IN, OF_ONE_SHAPE)] + [
    FIXED,
    *FORWARD,
    *FROZEN,
    *COMPILED,
    *TRAINED,
]
SEQUENCES = [job for job in RIGHT if job.workload == "rnn" and "fixed_length" not in job.parameters]

# One mode of each framework, each kind of task, and each type of number. Jobs of the tests below that name their modes
# are among them, because a job runs once in a session.
QUICK = [
    *(Job(*mode, "mlp") for mode in MODES if mode in (("torch", "trace"), ("torch", "script"), ("numpy", "eager"))),
    *(Job(*mode, "mlp") for mode in (("tensorflow", "function"), ("jax", "jit"), ("keras", "torch"))),
    *(Job(*mode, "mlp") for mode in (("numba", "njit"), ("tinygrad", "jit"))),
    Job("torch", "script", "rnn"),
    FIXED,
    Job("torch", "eager", "rnn", "forward", "float64"),
    Job("torch", "script", "rnn_cell", "forward", "bfloat16"),
    Job("torch", "script-freeze", "mlp", "forward"),
    Job("torch", "script-optimized", "mlp", "forward"),
    Job("torch", "eager", "mlp", "train-adam"),
    Job("numpy", "eager", "mlp", "train-adamw"),
    Job("keras", "torch", "mlp", "train-adamw"),
    Job("jax", "jit", "rnn", "train-sgd", parameters=FOUR),
]

every_right_job = pytest.mark.parametrize("job", mark_long(RIGHT, quick=QUICK), ids=str)
every_job = pytest.mark.parametrize("job", mark_long([*RIGHT, BAKED_IN], quick=[*QUICK, BAKED_IN]), ids=str)


@pytest.fixture
def run(ask: "Ask", reported: "Reported") -> Run:
    """Run each job once in a session."""

    def of(job: Job) -> Report:
        return reported(
            ask(job.framework, job.mode, job.workload, job.parameters, task=job.task, dtype=job.dtype, batch=3)
        )

    return of


def select_installed(jobs: Iterable[Job]) -> list[Job]:
    """Select the jobs whose frameworks are here: not all are in `plumbline-ml[all]`."""
    return [job for job in jobs if not find_missing(job.framework, job.mode)]


@every_right_job
def test_it_computes_what_the_reference_computes(run: Run, job: Job) -> None:
    found = run(job).verification
    assert found.reason == ""
    assert [check for check in found.checks if not check.passed] == []


@every_right_job
def test_output_or_loss_and_all_gradients_are_verified_on_two_sets_of_inputs_and_in_the_last_timed_call(
    run: Run, job: Job
) -> None:
    due = ["output"] if job.task == "forward" else ["loss"]
    if job.task == "backward":
        due += [f"gradient of {name}" for name in WEIGHTS[job.workload]]
    checks = [check for check in run(job).verification.checks if check.inputs.startswith("input set")]
    calls = {check.inputs for check in checks if not check.inputs.endswith(CONTINUED)}
    # TinyJit's calls overwrite what earlier ones have returned.
    within = set() if (job.framework, job.mode) == ("tinygrad", "jit") else {"a call within a sample"}
    assert {call.rpartition(", ")[2] for call in calls} == {"first call", "second call", "last timed call"} | within
    assert len({call.partition(", ")[0] for call in calls}) >= 2
    for call in calls:
        assert [check.tensor for check in checks if check.inputs == call] == due


@pytest.mark.parametrize("job", mark_long(TRAINED, quick=[job for job in QUICK if job in TRAINED]), ids=str)
def test_losses_and_moves_of_three_steps_of_training_are_verified_before_and_after_all_timing(
    run: Run, job: Job
) -> None:
    checks = [check for check in run(job).verification.checks if "steps of training" in check.inputs]
    due = [f"loss of step {step}" for step in (1, 2, 3)] + [f"move of {name}" for name in WEIGHTS[job.workload]]
    for when in ("before", "after"):
        assert [check.tensor for check in checks if check.inputs.endswith(f"{when} all timing")] == due
    assert all(check.passed for check in checks)


@pytest.mark.parametrize("job", mark_long(TRAINED, quick=[job for job in QUICK if job in TRAINED]), ids=str)
def test_loss_and_moves_of_the_step_after_all_timed_ones_are_verified(run: Run, job: Job) -> None:
    checks = [check for check in run(job).verification.checks if check.inputs.endswith(CONTINUED)]
    assert [check.tensor for check in checks] == ["loss", *(f"move of {name}" for name in WEIGHTS[job.workload])]
    assert all(check.passed for check in checks)


@every_job
def test_every_setting_is_honoured(run: Run, job: Job) -> None:
    settings = run(job).settings
    assert [setting for setting in settings if not setting.honoured] == []
    assert "OMP_NUM_THREADS" in {setting.name for setting in settings if setting.asked}


@every_job
def test_it_reports_its_version_and_ten_samples_after_a_warm_up(run: Run, job: Job) -> None:
    found = run(job)
    assert any(name.startswith(job.framework) for name in found.versions)
    assert len(found.samples_ns) == 10
    assert len(found.warmup) > 2


@every_job
def test_only_a_mode_that_traces_or_compiles_has_such_a_phase(run: Run, job: Job) -> None:
    due = PREPARED_IN.get(f"{job.framework}:{job.mode}", set())
    phases = {cost.name for cost in run(job).phases}
    assert phases & {"trace", "compile", "load"} == due


@every_job
def test_nothing_is_compiled_while_samples_are_taken(run: Run, job: Job) -> None:
    assert run(job).compilations == (0 if job.mode in COUNTING else None)


@pytest.mark.parametrize("mode", DEPRECATIONS)
def test_a_deprecated_mode_reports_each_of_its_deprecations_once(run: Run, mode: str) -> None:
    warnings = run(Job("torch", mode, "mlp", "backward" if mode in ("trace", "script") else "forward")).warnings
    assert len([warning for warning in warnings if warning.startswith("DeprecationWarning")]) == DEPRECATIONS[mode]
    assert len(set(warnings)) == len(warnings)


def test_one_mode_of_every_framework_has_the_same_weights_and_inputs(run: Run) -> None:
    jobs = [job for job in QUICK if (job.workload, job.task) == ("mlp", "backward")]
    assert {job.framework for job in jobs} == {known.name for known in BUILT_HERE}
    jobs = select_installed(jobs)
    assert len({run(job).inputs_sha256 for job in jobs}) == 1


@pytest.mark.long
@pytest.mark.exhaustive
@pytest.mark.parametrize("workload", WEIGHTS)
def test_every_framework_and_mode_has_the_same_weights_and_inputs(run: Run, workload: str) -> None:
    jobs = select_installed(job for job in BACKWARD if job.workload == workload and job != OF_ONE_SHAPE)
    assert len({run(job).inputs_sha256 for job in jobs}) == 1


def test_another_workload_has_other_weights_and_inputs(run: Run) -> None:
    assert len({run(Job("numpy", "eager", workload)).inputs_sha256 for workload in WEIGHTS}) == len(WEIGHTS)


def test_a_traced_loop_is_wrong_on_another_length_and_right_on_its_own(run: Run) -> None:
    found = run(BAKED_IN).verification
    assert re.search(r"inputs of shape \((19|8), 3, 10\) \(3, 20\)", found.reason)
    assert all(check.passed for check in found.checks if check.inputs.startswith("input set"))


def test_a_traced_loop_is_right_if_every_input_has_that_length(run: Run) -> None:
    assert run(FIXED).verification.reason == ""


@pytest.mark.parametrize("job", mark_long(SEQUENCES, quick=[job for job in QUICK if job in SEQUENCES]), ids=str)
def test_a_loop_that_was_not_traced_is_right_on_a_longer_and_on_a_shorter_sequence(run: Run, job: Job) -> None:
    length = job.parameters.get("length", 16)
    others = {f"inputs of shape ({steps}, 3, 10) (3, 20)" for steps in (length + 3, length // 2)}
    assert {check.inputs for check in run(job).verification.checks if check.passed} >= others


def test_the_table_of_support_agrees_with_what_these_jobs_are_expected_to_be() -> None:
    entries, compared = read_support().entries, 0
    for job in [*RIGHT, BAKED_IN]:
        if job.task in TASKS and job.dtype == "float32" and not job.parameters:
            entry = entries[CellName(f"{job.framework}:{job.mode}", job.workload, job.task)]
            assert entry.outcome in ("wrong" if job == BAKED_IN else "measured", NOT_TRIED), job
            compared += entry.outcome != NOT_TRIED
    assert compared >= len(BACKWARD)
