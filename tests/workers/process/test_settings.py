"""Settings that a model's code changes, and compilers that it uses in secret, are found out."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.execution.classify import classify_report
from schemas.event import Report, Setting
from schemas.job import JobSpec
from tests.workers.own_code import write_workload
from workers.process.settings import AT_THE_END, CORES, SettingsLog, pin_process, read_process_settings

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the cores of each thread")

MODELS = {
    "torch": """
        import os
        import threading
        import torch
        def compute(x, w): return torch.tanh(x * w)
        class Model(torch.nn.Module):
            def __init__(self, parameters, weights):
                super().__init__()
                self.w, self.compute, self.calls = torch.nn.Parameter(weights["w"]), compute, 0
                {made}
            def forward(self, x):
                {called}
                return self.compute(x, self.w)
    """,
    "tensorflow": """
        import tensorflow as tf
        def compute(x, w): return tf.tanh(x * w)
        class Model(tf.Module):
            def __init__(self, parameters, weights):
                super().__init__()
                self.w, self.compute = tf.Variable(weights["w"]), compute
                self.weights = [self.w]
                {made}
            def __call__(self, x):
                {called}
                return self.compute(x, self.w)
    """,
    "jax": """
        import jax
        import jax.numpy as jnp
        def compute(x, w): return jnp.clip(jnp.tanh(x * w), -1, 1)
        class Model:
            def __init__(self, parameters, weights):
                self.weights, self.compute = weights, compute
                {made}
            def __call__(self, x):
                {called}
                return self.compute(x, self.weights["w"])
    """,
}
# With torch, calls are counted, so that a change may come after all that is verified early.
LATE = "self.calls += 1; {} if self.calls == 30 else None"

Measure = Callable[..., Report]


@pytest.fixture
def measure(ask: "Ask", work: "Work", tmp_path: Path) -> Measure:
    """Measure the model of a framework, with a line in its constructor and one in its call."""

    def of(label: str, made: str = "pass", called: str = "pass", track: str = "parity") -> Report:
        framework, _, mode = label.partition(":")
        code = MODELS[framework].format(made=made, called=called)
        workload = write_workload(tmp_path / "secret", framework, code, width=5)
        spec = ask(framework, mode, "secret", {}, batch=1, code=workload.code, track=track, task="forward")
        cpus = sorted(os.sched_getaffinity(0))[:1] if sys.platform == "linux" else ()
        # Fresh: what one model changes must not stay in the template of the next.
        ended = work(spec.model_copy(update={"source_dir": workload.source_dir, "cpus": tuple(cpus)}), fresh=True)
        return ended.report

    return of


def judge(report: Report) -> tuple[str, str]:
    """Return the outcome and its reason, without those that depend on noise."""
    found = classify_report(report, report.ceiling)
    return found.outcome, found.reason


def list_late(report: Report) -> dict[str, tuple[str | None, str]]:
    """Return the settings that changed, with what was asked for and what was read at last."""
    return {each.name: (each.asked, each.got) for each in report.settings if " after the last" in each.name}


@pytest.mark.long
@pytest.mark.parametrize(
    ("label", "made", "called", "name", "values"),
    [
        ("torch:eager", "torch.set_num_threads(2)", "pass", "intra-op threads", ("1", "2")),
        ("torch:trace", "torch.set_num_threads(2)", "pass", "intra-op threads", ("1", "2")),
        ("torch:eager", "os.environ['OMP_NUM_THREADS'] = '2'", "pass", "OMP_NUM_THREADS", ("1", "2")),
        ("torch:eager", "pass", LATE.format("torch.set_num_threads(2)"), "intra-op threads", ("1", "2")),
        ("torch:eager", "torch.set_flush_denormal(False)", "pass", "denormals", ("flushed", "kept")),
        (
            "torch:eager",
            "torch.set_float32_matmul_precision('medium')",
            "pass",
            "float32 matmul precision",
            ("highest", "medium"),
        ),
        ("tensorflow:eager", "tf.config.optimizer.set_jit(True)", "pass", "clustering by XLA", ("off", "on")),
        (
            "tensorflow:function",
            "tf.config.experimental.enable_tensor_float_32_execution(True)",
            "pass",
            "TensorFloat-32",
            ("off", "on"),
        ),
        (
            "jax:jit",
            "jax.config.update('jax_default_matmul_precision', 'bfloat16')",
            "pass",
            "float32 matmul precision",
            ("highest", "bfloat16"),
        ),
        (
            "jax:eager",
            "jax.config.update('jax_enable_compilation_cache', True)",
            "pass",
            "compilation cache",
            ("off", "on"),
        ),
    ],
)
def test_a_setting_that_the_code_changes_makes_the_cell_unfair(
    measure: Measure, label: str, made: str, called: str, name: str, values: tuple[str, str]
) -> None:
    outcome, reason = judge(measure(label, made, called))
    assert outcome == "unfair"
    assert reason.startswith(name)
    assert reason.endswith(f"asked for {values[0]}, got {values[1]}")


@pytest.mark.long
@on_linux
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core alone")
def test_a_thread_that_escapes_to_other_cores_is_seen(measure: Measure) -> None:
    free = "threading.Thread(target=lambda: (os.sched_setaffinity(0, range(os.cpu_count())), self.wait()), daemon=True)"
    made = f"self.wait = threading.Event().wait; {free}.start()"
    outcome, reason = judge(measure("torch:eager", made))
    assert outcome == "unfair"
    assert reason.startswith(f"cores {AT_THE_END}: asked for ")


@pytest.mark.long
@pytest.mark.parametrize(
    ("label", "made", "compiler"),
    [
        ("torch:eager", "self.compute = torch.compile(compute)", "torch.compile"),
        ("torch:eager", "self.compute = torch.jit.script(compute)", "torch.jit.script"),
        ("tensorflow:eager", "self.compute = tf.function(compute)", "tf.function"),
        ("tensorflow:eager", "self.compute = tf.function(compute, jit_compile=True)", "tf.function"),
        ("jax:eager", "self.compute = jax.jit(compute)", "jax.jit (compute)"),
    ],
)
def test_a_compiler_inside_a_mode_that_compiles_nothing_is_named(
    measure: Measure, label: str, made: str, compiler: str
) -> None:
    report = measure(label, made)
    assert report.notes == (f"its code compiles with {compiler}, although this mode compiles nothing",)
    assert judge(report)[0] != "unfair"


@pytest.mark.long
@pytest.mark.parametrize(
    "label", ["torch:eager", "torch:script", "tensorflow:eager", "tensorflow:function", "jax:eager", "jax:jit"]
)
def test_an_honest_model_changes_and_compiles_nothing(measure: Measure, label: str) -> None:
    report = measure(label)
    assert (list_late(report), report.notes) == ({}, ())
    assert judge(report)[0] not in ("unfair", "wrong")


@pytest.mark.long
def test_a_change_that_nobody_had_forbidden_is_said(measure: Measure) -> None:
    report = measure("torch:eager", "torch.backends.mkldnn.enabled = False", track="defaults")
    (note,) = report.notes
    assert note == "oneDNN was on at first, and off when the step was prepared"
    assert judge(report)[0] != "unfair"


def read(name: str, got: str, asked: str | None = None) -> Setting:
    return Setting(name=name, asked=asked, got=got)


def test_what_has_not_changed_is_listed_once() -> None:
    log = SettingsLog()
    log.add_readings([read("threads", "1", "1")])
    log.add_readings([read("threads", "1", "1"), read("device", "cpu")], AT_THE_END)
    assert (log.settings, log.notes) == ([read("threads", "1", "1"), read("device", "cpu")], [])


def test_what_was_asked_for_and_changed_is_a_setting_that_was_not_honoured() -> None:
    log = SettingsLog()
    log.add_readings([read("threads", "1", "1")])
    log.add_readings([read("threads", "2", "1")], AT_THE_END)
    assert [(each.name, each.honoured) for each in log.settings] == [
        ("threads", True),
        ("threads after the last sample", False),
    ]
    assert log.notes == []


def test_what_was_only_recorded_and_changed_is_one_sentence_for_each_change() -> None:
    log = SettingsLog()
    log.add_readings([read("oneDNN", "on"), read("cache", "")])
    log.add_readings([read("oneDNN", "off"), read("cache", "")], "when the step was prepared")
    log.add_readings([read("oneDNN", "off"), read("cache", "x")], AT_THE_END)
    assert log.notes == [
        "oneDNN was on at first, and off when the step was prepared",
        "cache was empty at first, and x after the last sample",
    ]
    assert all(each.honoured for each in log.settings)


def test_code_may_choose_whether_it_wants_gradients() -> None:
    log = SettingsLog()
    log.add_readings([read("gradients", "off", "off")])
    log.add_readings([read("gradients", "on", "off")], AT_THE_END)
    assert (log.settings, log.notes) == ([read("gradients", "off", "off")], [])


@pytest.fixture
def cores_kept() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def read_cores(spec: JobSpec) -> Mapping[str, Setting]:
    return {each.name: each for each in read_process_settings(spec)}


@on_linux
@pytest.mark.usefixtures("cores_kept")
def test_the_cores_are_those_of_all_threads(ask: "Ask") -> None:
    cores = sorted(os.sched_getaffinity(0))
    spec = ask("numpy", "eager", "mlp").model_copy(update={"cpus": tuple(cores[:1])})
    with_thread = threading.Event()
    thread = threading.Thread(target=with_thread.wait)
    thread.start()  # it keeps the cores of before
    try:
        pin_process(spec)
        found = read_cores(spec)[CORES]
    finally:
        with_thread.set()
        thread.join()
    assert found.asked == str(cores[0])
    assert found.got == ",".join(map(str, cores))


@on_linux
def test_a_job_that_may_run_anywhere_asks_for_no_cores(ask: "Ask") -> None:
    assert read_cores(ask("numpy", "eager", "mlp"))[CORES].asked is None
