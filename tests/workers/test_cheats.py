"""Models that are right when somebody looks, and do less when they are timed, are found out."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.execution.classify import describe_work_at_rest
from schemas.event import MAX_REST_SHARE, REST_NS, Event, Report
from tests.selection import mark_long
from tests.workers.own_code import explain, write_workload

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

TORCH = """
    import sys
    import threading
    import torch

    class Lazy(torch.Tensor):
        def detach(self):
            return self.compute().detach()

    class Answering(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, given=(), named=None):
            kept = given[0].compute() if isinstance(given[0], cls) else given[0]
            with torch._C.DisableTorchFunctionSubclass():
                return function(kept, *given[1:], **(named or {{}}))

    class Dispatching(torch.Tensor):
        @staticmethod
        def __new__(cls, like):
            return torch.Tensor._make_wrapper_subclass(cls, like.shape, dtype=like.dtype)
        @classmethod
        def __torch_dispatch__(cls, function, types, given=(), named=None):
            return function(*[x.compute() if isinstance(x, cls) else x for x in given], **(named or {{}}))

    def promise(kind, shape_of, compute):
        made = torch.zeros_like(shape_of).as_subclass(kind) if kind is not Dispatching else Dispatching(shape_of)
        made.compute = compute
        return made

    def is_inside_a_sample(model):
        frame = sys._getframe(2)
        while frame is not None and frame.f_code.co_name != "take_sample":
            frame = frame.f_back
        model.left = (model.left or len(frame.f_locals["rotation"])) - 1 if frame else 0
        return model.left > 0

    class Model(torch.nn.Module):
        def __init__(self, parameters, weights):
            super().__init__()
            self.w, self.calls, self.left = torch.nn.Parameter(weights["w"]), 0, 0
            {made}
        def compute(self, x): return torch.tanh(torch.sin(x) * self.w)
        def forward(self, x):
            self.calls += 1
            {called}
            return self.compute(x)
"""
TENSORFLOW = """
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self, parameters, weights):
            super().__init__()
            self.w, self.calls, self.kept = tf.Variable(weights["w"]), 0, None
            self.weights = [self.w]
        def compute(self, x): return tf.tanh(tf.sin(x) * self.w)
        def __call__(self, x):
            self.calls += 1
            {called}
            return self.compute(x)
"""
JAX = """
    import jax
    import jax.numpy as jnp

    class Model:
        calls = 0
        def __init__(self, parameters, weights):
            self.weights = weights
        def __call__(self, x):
            Model.calls += 1  # a model is made anew for each call
            {called}
            return jnp.tanh(jnp.sin(x) * self.weights["w"])
"""
MODELS = {"torch": TORCH, "tensorflow": TENSORFLOW, "jax": JAX}
LAZY = "return promise({}, x, lambda: self.compute(x))"
WRONG = "output is "

Measured = Callable[..., Event]


@pytest.fixture
def measured(ask: "Ask", work: "Work", tmp_path: Path) -> Measured:
    """Measure a model with a line in its constructor and one at the beginning of its call."""

    def of(label: str, called: str, made: str = "pass", **fields: object) -> Event:
        framework, _, mode = label.partition(":")
        code = MODELS[framework].format(made=made, called=called)
        workload = write_workload(tmp_path / "cheat", framework, code, forward="np.tanh(np.sin(x) * w)")
        spec = ask(framework, mode, "cheat", {}, batch=1, code=workload.code, task="forward")
        return work(spec.model_copy(update={"source_dir": workload.source_dir} | fields)).events[-1]

    return of


@pytest.mark.parametrize(
    ("label", "called", "said"),
    mark_long(
        [
            ("torch:eager", LAZY.format("Lazy"), "wrong: output is "),
            ("torch:eager", LAZY.format("Answering"), "wrong: output is "),
            ("torch:eager", LAZY.format("Dispatching"), "returned Dispatching, which computes when it is read"),
            ("torch:eager", "if is_inside_a_sample(self): return x", "a call within a sample"),
            ("torch:eager", "if self.calls > 40 and self.calls % 5: return x", "wrong: output is off by"),
            ("torch:eager", "if self.calls > 2: return torch.empty_like(x)", "wrong: output is "),
            ("torch:eager", "return torch.empty_like(x).to('meta')", "meta tensor"),
            ("tensorflow:eager", "if self.calls > 40 and self.calls % 5: return x", "wrong: output is off by"),
            ("jax:eager", "if Model.calls > 40 and Model.calls % 5: return x", "wrong: output is off by"),
        ],
        quick=[
            ("torch:eager", LAZY.format("Lazy"), "wrong: output is "),
            ("torch:eager", LAZY.format("Dispatching"), "returned Dispatching, which computes when it is read"),
            ("torch:eager", "if is_inside_a_sample(self): return x", "a call within a sample"),
        ],
    ),
)
def test_a_cheat_is_barred_for_its_true_reason(measured: Measured, label: str, called: str, said: str) -> None:
    assert said in explain(measured(label, called))


@pytest.mark.parametrize(
    ("called", "said"),
    [
        (
            "y = self.compute(x); x.mul_(0.9); return y",
            "its calls change their inputs in place, and so its results: output is off by ",
        ),
        ("x.sin_(); return torch.tanh(x * self.w)", "its calls change their inputs in place, and so its results"),
    ],
)
def test_a_model_that_changes_its_inputs_and_so_its_results_is_wrong_for_that_reason(
    measured: Measured, called: str, said: str
) -> None:
    assert said in explain(measured("torch:eager", called))


LATER = "threading.Thread(target=lambda: [torch.tanh(self.w) for _ in iter(int, 1)], daemon=True).start()"


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux are jobs pinned to cores")
def test_work_that_goes_on_after_the_last_call_is_seen_and_rest_is_seen_too(measured: Measured) -> None:
    core = (min(os.sched_getaffinity(0)),)
    busy, quiet = (measured("torch:eager", "pass", made, cpus=core) for made in (LATER, "pass"))
    assert isinstance(busy, Report)
    assert isinstance(quiet, Report)
    assert busy.rest_cpu_ns is not None
    assert quiet.rest_cpu_ns is not None
    assert quiet.rest_cpu_ns < MAX_REST_SHARE * REST_NS < busy.rest_cpu_ns
    assert "work goes on after its calls" in describe_work_at_rest(busy)


def test_a_model_that_changes_its_inputs_in_vain_is_measured_and_says_so(measured: Measured) -> None:
    last = measured("torch:eager", "x[0, 0] *= 1 + 1e-6 * (self.calls == 40)")
    assert isinstance(last, Report)
    assert last.verification.reason == ""
    assert last.notes == ("its calls change their inputs in place",)


@pytest.mark.parametrize(
    ("label", "called", "made"),
    mark_long(
        [
            ("torch:eager", "pass", "pass"),
            ("torch:eager", "return torch.tanh(torch.sin(x) * self.w).t().contiguous().t()", "pass"),
            ("torch:eager", "return self.compute(x).as_subclass(torch.nn.Parameter)", "pass"),
            ("torch:eager", "y = x.clone(); y.sin_().mul_(self.w).tanh_(); return y", "pass"),
            ("torch:eager", "return self.compute(x)[None].expand(3, 64, 64)[1]", "pass"),
            ("torch:eager", "pass", "self.register_buffer('counter', torch.zeros(3), persistent=False)"),
            ("tensorflow:eager", "return tf.identity(self.compute(x))", "pass"),
            ("jax:jit", "pass", "pass"),
        ],
        quick=[
            ("torch:eager", "pass", "pass"),
            ("torch:eager", "return self.compute(x)[None].expand(3, 64, 64)[1]", "pass"),
        ],
    ),
)
def test_an_honest_model_is_measured_however_odd(measured: Measured, label: str, called: str, made: str) -> None:
    assert explain(measured(label, called, made)) == ""
