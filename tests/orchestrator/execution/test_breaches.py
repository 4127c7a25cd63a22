"""A breach of a workload's contract ends the cells that share the broken part, and no others."""

from collections.abc import Callable

from orchestrator.execution.breaches import shares_breach
from orchestrator.planning.plan import Plan
from schemas.record import JobRecord

MakePlan = Callable[..., Plan]


def test_what_an_exported_model_breaks_does_not_accuse_the_framework_that_exported_it(make_plan: MakePlan) -> None:
    plan = make_plan("torch:eager", "onnxruntime", "openvino", axes={"tasks": ("forward",)})
    cells = {cell.framework: cell for cell in plan.cells if not cell.replica}
    spec = plan.build_job(cells["onnxruntime"], 1, 0)
    record = JobRecord.model_construct(spec=spec, breach="implementation")
    assert [name for name, cell in cells.items() if shares_breach(cell, record)] == ["onnxruntime"]
    native = JobRecord.model_construct(spec=plan.build_job(cells["torch"], 1, 0), breach="implementation")
    assert all(shares_breach(cell, native) for cell in cells.values())
