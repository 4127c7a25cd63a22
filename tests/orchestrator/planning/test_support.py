from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.environments.environment import Environment
from orchestrator.errors import UsageError
from orchestrator.planning import support
from orchestrator.planning.plan import Plan, build_plan
from orchestrator.planning.sweep_file import validate_sweep
from schemas.tuning import TUNINGS

MakePlan = Callable[..., Plan]


def test_a_dtype_that_a_framework_does_not_have_is_refused_with_the_ones_that_it_has(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", axes={"dtype": ("float32", "bfloat16")})
    (refused,) = (cell for cell in plan.cells if cell not in plan.runnable)
    assert refused.dtype == "bfloat16"
    assert plan.refused[refused.id] == "numpy does not compute in bfloat16; choose float32, float64 or float16"


def test_a_dtype_that_one_mode_does_not_have_is_refused_for_that_mode_alone(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", "keras:torch", "keras:tensorflow", axes={"dtype": ("float64",)})
    reasons = {cell.mode: plan.refused.get(cell.id, "") for cell in plan.cells}
    assert reasons["torch"] == "keras:torch does not compute in float64; choose float32 or bfloat16"
    assert "float64" not in reasons["tensorflow"]


def test_a_tuning_that_a_framework_does_not_have_is_refused_with_those_that_have_it(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", "torch:eager", axes={"tuning": ("none", "channels-last")})
    (refused,) = (cell for cell in plan.cells if cell not in plan.runnable)
    assert (refused.framework, refused.tuning) == ("numpy", "channels-last")
    assert plan.refused[refused.id] == "channels-last is a tuning of torch, not of numpy"


def test_a_tuning_that_this_machine_lacks_is_refused_for_every_framework(
    make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support, "explain_missing_tuning", lambda tuning: f"{tuning} is not there")
    with pytest.raises(UsageError, match="nothing to run: jemalloc is not there"):
        make_plan("numpy", "torch:eager", axes={"tuning": ("jemalloc",)})


@pytest.mark.parametrize("tuning", ["channels-first", "channels-last"])
def test_a_saved_model_keeps_its_order_of_channels(make_plan: MakePlan, tuning: str) -> None:
    with pytest.raises(UsageError, match="keeps the order of channels that it was saved with; leave out --origin"):
        make_plan("torch:trace", axes={"tuning": (tuning,), "origin": ("file",)})


def test_the_variables_of_a_tuning_reach_its_jobs_alone(make_plan: MakePlan) -> None:
    plan = make_plan("torch:eager", axes={"tuning": ("none", "huge-pages")})
    jobs = {cell.tuning: plan.build_job(cell, 1, 0) for cell in plan.cells}
    assert jobs["huge-pages"].variables == jobs["none"].variables | TUNINGS["huge-pages"].variables
    assert "GLIBC_TUNABLES" not in jobs["none"].variables


def test_a_mode_without_its_backend_is_refused_with_the_command_that_installs_it(
    make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Environment, "_has_package", lambda self, package, requirement: package != "jax")
    plan = make_plan("keras:torch", "keras:jax", "jax")
    reasons = {f"{cell.framework}:{cell.mode}": plan.refused.get(cell.id, "") for cell in plan.cells}
    assert reasons["keras:torch"] == ""
    assert reasons["keras:jax"].startswith("jax is not ")
    assert "jax==0.10.2" in reasons["keras:jax"]


def test_a_task_that_a_framework_does_not_do_is_refused_with_the_reason(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", "onnxruntime")
    (refused,) = (reason for cell, reason in plan.refused.items() if cell.startswith("onnxruntime"))
    assert refused == (
        "onnxruntime does not support backward: it runs an exported graph, which contains only the forward pass"
    )


def test_an_optimiser_of_its_own_is_refused_where_no_file_could_have_one(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", axes={"tasks": ("train-own", "train-adamw")})
    (refused,) = (cell for cell in plan.cells if cell not in plan.runnable)
    assert refused.task == "train-own"
    assert plan.refused[refused.id] == (
        "the workload mlp has no function optimizer; choose --optimizer sgd, adam or adamw"
    )


def test_a_models_file_without_an_optimiser_is_refused_with_what_to_write(tmp_path: Path) -> None:
    tmp_path.joinpath("net.py").write_text('framework = "numpy"\ndef net(x):\n    return x\n')
    models = [{"source": "net.py", "folder": str(tmp_path)}]
    said = "net.py has no function optimizer; write one that returns the optimiser, or choose --optimizer sgd, adam"
    with pytest.raises(UsageError, match=said):
        build_plan(validate_sweep({"models": models, "axes": {"tasks": ["train-own"]}}), (0,))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_training_in_half_precision_is_refused(make_plan: MakePlan, dtype: str) -> None:
    with pytest.raises(UsageError, match=f"train-sgd in {dtype} loses small changes of weights to rounding"):
        make_plan("torch:eager", axes={"dtype": (dtype,), "tasks": ("train-sgd",)})


def test_a_mode_in_8_bits_takes_float32_and_the_forward_pass_alone(make_plan: MakePlan) -> None:
    with pytest.raises(UsageError, match="torch:int8-dynamic quantises a model in float32, not in float16"):
        make_plan("torch:int8-dynamic", axes={"dtype": ("float16",)})
    with pytest.raises(UsageError, match="onnxruntime does not support backward"):
        make_plan("onnxruntime:int8-static", axes={"tasks": ("backward",)})


def test_a_framework_stands_for_its_modes_in_floating_point(make_plan: MakePlan) -> None:
    modes = {cell.mode for cell in make_plan("torch").cells}
    assert "eager" in modes
    assert not {mode for mode in modes if mode.startswith("int8")}
