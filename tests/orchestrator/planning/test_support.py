from collections.abc import Callable

from orchestrator.planning.plan import Plan

MakePlan = Callable[..., Plan]


def test_a_dtype_that_a_framework_does_not_have_is_refused_with_the_ones_that_it_has(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", axes={"dtype": ("float32", "bfloat16")})
    (refused,) = (cell for cell in plan.cells if cell not in plan.runnable)
    assert refused.dtype == "bfloat16"
    assert plan.refused[refused.id] == "numpy does not compute in bfloat16; choose float32 or float64"


def test_a_task_that_a_framework_does_not_do_is_refused_with_the_reason(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", "onnxruntime")
    (refused,) = (reason for cell, reason in plan.refused.items() if cell.startswith("onnxruntime"))
    assert refused == (
        "onnxruntime does not support backward: it runs an exported graph, which contains only the forward pass"
    )
