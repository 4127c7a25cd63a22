"""Axes of the planning's tests, and the cells that they come to."""

from collections.abc import Mapping

from orchestrator.environments.lookup import Environments
from orchestrator.planning import grid
from orchestrator.planning.request import resolve_request
from schemas.job import Cell
from schemas.sweep import SweepSpec

AXES = {"frameworks": ["numpy", "synthetic:spin"], "workloads": ["rnn_cell", "mlp"], "batch": [1, 2]}
VERSIONS = {"frameworks": ["tensorflow@2.20:eager", "tensorflow@2.21:eager", "tensorflow:eager", "torch:eager"]}


def expand(axes: Mapping[str, object], **said: object) -> tuple[Cell, ...]:
    spec = SweepSpec.model_validate({"axes": AXES | dict(axes)} | said)
    return grid.expand_request(resolve_request(spec, Environments()))
