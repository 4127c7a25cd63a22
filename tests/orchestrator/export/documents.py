"""Documents of the tests' run, and the cells that they have a time of."""

import json
from typing import Any

from orchestrator.analysis.run import Run
from orchestrator.export import convert_run

MEASURED = ["torch:eager", "torch:script", "torch:eager (A/A)"]


UNSOUND = ("jax:jit", "numpy:eager", "openvino:compiled")


def document(run: Run, name: str) -> Any:  # noqa: ANN401 (JSON has no common type)
    return json.loads(convert_run(run, name, None))


def labels(names: list[str]) -> list[str]:
    return [name.partition(",")[0] for name in names]
