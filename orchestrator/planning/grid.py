"""The grid: every combination of the axes, less what is excluded, plus what is included."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.errors import UsageError
from orchestrator.planning.request import AxisValues, ModeChoice, Request, WorkloadChoice
from schemas.job import INT8, Cell


def expand_request(request: Request) -> tuple[Cell, ...]:
    """Return all combinations of the axes, minus the excluded and plus the included ones, each cell once."""
    cells = itertools.chain(combine_values(request.axes, request.excluded), *map(combine_values, request.included))
    found = tuple({cell.id: cell for cell in cells}.values())
    if not found:
        raise UsageError("nothing to run: every combination of the axes is excluded; shorten `exclude`")
    return found


def combine_values(values: AxisValues, excluded: Sequence[AxisValues] = ()) -> Iterator[Cell]:
    """Yield every combination, workload by workload, so that compared cells stand together."""
    for workload in values.workloads:
        for chosen in itertools.product(*values.others.values()):
            others = dict(zip(values.others, chosen, strict=True))
            for mode in values.modes:
                if not (is_superfluous(mode, others, values) or is_picked(excluded, workload, mode, others)):
                    named = {**workload._asdict(), **mode._asdict(), "parameters": dict(workload.parameters)}
                    yield Cell.model_validate(others | named)


def is_superfluous(mode: ModeChoice, others: Mapping[str, object], values: AxisValues) -> bool:
    """Return whether a mode in 8 bits would quantise another dtype than float32, although that is among the dtypes."""
    dtypes = values.others.get("dtype", ())
    return mode.mode.startswith(INT8) and "float32" in dtypes and others.get("dtype") != "float32"


def is_picked(
    picks: Sequence[AxisValues], workload: WorkloadChoice, mode: ModeChoice, others: Mapping[str, object]
) -> bool:
    """Return whether any of these picks has all values of a combination."""
    return any(has_values(pick, workload, mode, others) for pick in picks)


def has_values(pick: AxisValues, workload: WorkloadChoice, mode: ModeChoice, others: Mapping[str, object]) -> bool:
    """Return True if a pick has all values of a combination."""
    plain = all(others[name] in accepted for name, accepted in pick.others.items())
    return plain and mode in pick.modes and workload in pick.workloads
