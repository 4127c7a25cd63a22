"""Groups of cells whose results are known arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from orchestrator.analysis import groups
from orchestrator.analysis.results import Group
from schemas.record import JobRecord
from tests.conftest import a_report
from tests.orchestrator.conftest import HOST, a_cell, a_spec
from workers.verification.sketch import sketch_tensor

DUE = np.random.default_rng(1).standard_normal(1000)
TOLERANCE = 2e-6


def check(got: object, tensor: str = "output", due: object = DUE, tolerance: float = TOLERANCE) -> dict[str, Any]:
    """Return the sketched check of a tensor, as a worker makes it."""
    right, found = np.asarray(due), np.asarray(got)
    scale = float(np.linalg.norm(right))
    error = float(np.linalg.norm(found - right)) / scale if np.isfinite(found).all() else None
    return {
        "tensor": tensor,
        "inputs": "input set 0, first call",
        "error": error,
        "worst": error,
        "tolerance": tolerance,
        "passed": error is not None and error <= tolerance,
        "scale": scale,
        "sketch": sketch_tensor(found, 64),
    }


def off(by: float, seed: int = 2) -> Any:  # noqa: ANN401 (an array)
    """Return the right result with an error of this size."""
    wrong = np.random.default_rng(seed).standard_normal(DUE.shape)
    return DUE + wrong * (by * float(np.linalg.norm(DUE)) / float(np.linalg.norm(wrong)))


def a_record(label: str, checks: Sequence[Mapping[str, Any]], block: int = 1, **changes: Any) -> JobRecord:  # noqa: ANN401 (fields)
    """Return the record of a job with these checks; wrong if one has failed."""
    cell = a_cell(label, **changes.pop("cell", {}))
    is_right = all(each["passed"] for each in checks)
    said = {"checks": checks, "reason": "" if is_right else "the output is off", **changes.pop("verification", {})}
    inputs = changes.pop("inputs_sha256", "ab")
    return JobRecord(
        spec=a_spec(cell, block, **changes),
        outcome="measured" if is_right else "wrong",
        reason=str(said["reason"]),
        host=HOST,
        result=a_report(verification=said, inputs_sha256=inputs),
    )


def a_group(*records: JobRecord) -> Group:
    """Return the only group of these records."""
    cells = {record.spec.cell.id: record.spec.cell for record in records}
    (group,) = groups.group_results(records, [*cells.values()])
    return group
