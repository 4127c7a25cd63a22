"""The grid: every combination of the axes, less what is excluded, plus what is included."""

import itertools
from collections.abc import Iterator, Mapping

from orchestrator.environments.lookup import Environments
from orchestrator.errors import UsageError
from orchestrator.planning.request import (
    MAX_CELLS,
    expand_alternatives,
    list_workload_texts,
    parse_framework,
    parse_workload,
)
from orchestrator.registry.workloads import resolve_workloads
from schemas.job import Cell
from schemas.sweep import Axes, CellSelector, SweepSpec
from schemas.workloads import Workload

# Names of axes that differ in a cell.
CELL_FIELDS = {"tasks": "task"}


def expand_axes(
    spec: SweepSpec, environments: Environments | None = None, among: Mapping[str, Workload] | None = None
) -> tuple[Cell, ...]:
    """Return all combinations of the axes, minus the excluded and plus the included ones, each cell once.

    `among` are the workloads by the spec's texts. None looks them up, as for the environments.
    """
    environments = environments or Environments(spec.environments)
    among = resolve_workloads(list_workload_texts(spec)) if among is None else among
    # A sweep file of a few lines may have more combinations than fit into the memory.
    every = list(itertools.islice(combine_axes(spec.axes, environments, among), MAX_CELLS + 1))
    if len(every) > MAX_CELLS:
        raise UsageError(f"the axes have more than {MAX_CELLS} combinations, the limit of a sweep; name fewer values")
    kept = [cell for cell in every if not any(matches_pick(cell, pick, environments, among) for pick in spec.exclude)]
    for pick in spec.include:
        kept += combine_axes(widen_axes(spec.axes, pick), environments, among)
    cells = tuple({cell.id: cell for cell in kept}.values())
    if not cells:
        raise UsageError("nothing to run: every combination of the axes is excluded; shorten `exclude`")
    return cells


def combine_axes(axes: Axes, environments: Environments, among: Mapping[str, Workload]) -> Iterator[Cell]:
    """Yield every combination, workload by workload, so that compared cells stand together."""
    modes = [found for text in axes.frameworks for found in parse_framework(text)]
    workloads = (parse_workload(each, among) for text in axes.workloads for each in expand_alternatives(text))
    codes = {workload.name: workload.code for workload in among.values()}
    apart = ("frameworks", "workloads", "environment")
    plain = {CELL_FIELDS.get(name, name): values for name, values in axes if name not in apart}
    for workload, parameters in workloads:
        of = {"workload": workload, "parameters": parameters, "code": codes[workload]}
        for *values, environment in itertools.product(*plain.values(), axes.environment):
            chosen = dict(zip(plain, values, strict=True)) | of
            for framework, mode, version in modes:
                home = environments.resolve_name(version or environment, framework)
                environments.find(home)
                yield Cell.model_validate(chosen | {"framework": framework, "mode": mode, "environment": home})


def matches_pick(cell: Cell, pick: CellSelector, environments: Environments, among: Mapping[str, Workload]) -> bool:
    """Return True if a cell has all values that a pick names."""
    if pick.framework is not None and not any(
        (cell.framework, cell.mode) == (framework, mode) and version in ("", cell.environment)
        for framework, mode, version in parse_framework(pick.framework)
    ):
        return False
    if pick.environment is not None and cell.environment != environments.resolve_name(pick.environment, cell.framework):
        return False
    if pick.workload is not None:
        named = (parse_workload(text, among) for text in expand_alternatives(pick.workload))
        loosely = ":" not in pick.workload
        if not any(cell.workload == name and (loosely or cell.parameters == values) for name, values in named):
            return False
    plain = pick.model_dump(exclude={"framework", "workload", "environment"}, exclude_none=True)
    return all(getattr(cell, name) == value for name, value in plain.items())


def widen_axes(axes: Axes, pick: CellSelector) -> Axes:
    """Return the axes of an included cell: its values, and the first of each axis that it does not name."""
    if pick.framework is None or pick.workload is None:
        raise UsageError("include: each entry needs at least a framework and a workload")
    first = {name: values[:1] for name, values in axes}
    named = {"framework": "frameworks", "workload": "workloads", "task": "tasks"}
    own = {named.get(name, name): (value,) for name, value in pick.model_dump(exclude_none=True).items()}
    return Axes.model_validate(first | own)
