"""A user's request: the texts of a sweep as values, so that nothing after this reads a text again."""

import itertools
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.environments.definitions import VERSION_SIGN
from orchestrator.environments.lookup import Environments
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.models import load_models
from orchestrator.registry.workloads import resolve_workloads
from schemas.job import INT8
from schemas.sweep import Axes, CellSelector, SweepSpec
from schemas.workloads import Workload

MAX_CELLS = 10_000

# The axis whose values are several implementations of one thing.
VARIANT = "variant"

# Names of axes that differ in a cell.
CELL_FIELDS = {"tasks": "task"}


class ModeChoice(NamedTuple):
    """Mode of a framework in an environment; as parsed, the environment is empty unless the text names one."""

    framework: str
    mode: str
    environment: str


class WorkloadChoice(NamedTuple):
    """Workload with a value for each of its parameters. `code` is the hash of its files, unless it is built in."""

    workload: str
    parameters: tuple[tuple[str, int], ...]
    code: str
    variant: str = ""


@dataclass(frozen=True, slots=True)
class AxisValues:
    """Values of the axes: modes in their environments, workloads, and all others by a cell's field."""

    modes: Collection[ModeChoice]
    workloads: Collection[WorkloadChoice]
    others: Mapping[str, Collection[object]]


@dataclass(frozen=True, slots=True)
class Request:
    """Request for a sweep, in values: all that are combined, excluded and included, and the workloads by name."""

    axes: AxisValues
    excluded: Sequence[AxisValues]
    included: Sequence[AxisValues]
    workloads: Mapping[str, Workload]


def resolve_request(spec: SweepSpec, environments: Environments) -> Request:
    """Resolve the texts of a sweep.

    Raises:
        UsageError: a name or a parameter does not exist, or there are too many combinations.
    """
    together = spec.compare_by == VARIANT
    among = resolve_workloads(list_workload_texts(spec), load_models(spec.models), together=together)
    axes = resolve_axes(spec.axes, environments, among)
    return Request(
        axes,
        [resolve_pick(pick, axes, environments, among) for pick in spec.exclude],
        [resolve_axes(widen_axes(spec.axes, pick), environments, among) for pick in spec.include],
        {workload.key: workload for workload in among.values()},
    )


def list_workload_texts(spec: SweepSpec) -> Iterator[str]:
    """Yield every text of a sweep that names a workload."""
    yield from spec.axes.workloads
    yield from (pick.workload for pick in (*spec.exclude, *spec.include) if pick.workload is not None)


def resolve_axes(axes: Axes, environments: Environments, among: Mapping[str, Workload]) -> AxisValues:
    """Resolve the texts of axes; `among` are the workloads by their texts."""
    modes = [found for text in axes.frameworks for found in parse_framework(text)]
    texts = (each for text in axes.workloads for each in expand_alternatives(text))
    # A sweep file of a few lines may have more combinations than fit into the memory.
    workloads = [parse_workload(each, among) for each in itertools.islice(texts, MAX_CELLS + 1)]
    apart = ("frameworks", "workloads", "environment")
    others = {CELL_FIELDS.get(name, name): values for name, values in axes if name not in apart}
    if math.prod(map(len, (modes, axes.environment, workloads, *others.values()))) > MAX_CELLS:
        raise UsageError(f"the axes have more than {MAX_CELLS} combinations, the limit of a sweep; name fewer values")
    chosen = [
        ModeChoice(framework, mode, environments.find(environments.resolve_name(version or text, framework)).name)
        for text in axes.environment
        for framework, mode, version in modes
    ]
    return AxisValues(chosen, workloads, others)


def resolve_pick(
    pick: CellSelector, axes: AxisValues, environments: Environments, among: Mapping[str, Workload]
) -> AxisValues:
    """Resolve a pick to the values that it accepts: on an axis that it does not name, all."""
    plain = pick.model_dump(exclude={"framework", "workload", "environment"}, exclude_none=True)
    return AxisValues(
        select_modes(pick, axes.modes, environments),
        set(axes.workloads) if pick.workload is None else select_workloads(pick.workload, axes.workloads, among),
        {name: (value,) for name, value in plain.items()},
    )


def select_modes(pick: CellSelector, modes: Iterable[ModeChoice], environments: Environments) -> set[ModeChoice]:
    """Return the modes that a pick accepts."""
    accepted = set(modes)
    if pick.framework is not None:
        named = set(parse_framework(pick.framework))
        accepted = {each for each in accepted if each in named or each._replace(environment="") in named}
    if (text := pick.environment) is not None:
        accepted = {each for each in accepted if each.environment == environments.resolve_name(text, each.framework)}
    return accepted


def select_workloads(
    text: str, workloads: Iterable[WorkloadChoice], among: Mapping[str, Workload]
) -> set[WorkloadChoice]:
    """Return the workloads that a pick accepts: with any parameters, if it names none."""
    if ":" not in text:
        return {each for each in workloads if (each.workload, each.variant) == name_choice(among[text])}
    return {parse_workload(each, among) for each in expand_alternatives(text)}


def widen_axes(axes: Axes, pick: CellSelector) -> Axes:
    """Return the axes of an included cell: its values, and the first of each axis that it does not name."""
    if pick.framework is None or pick.workload is None:
        raise UsageError("include: each entry needs at least a framework and a workload")
    first = {name: values[:1] for name, values in axes}
    named = {"framework": "frameworks", "workload": "workloads", "task": "tasks"}
    own = {named.get(name, name): (value,) for name, value in pick.model_dump(exclude_none=True).items()}
    return Axes.model_validate(first | own)


def parse_framework(text: str) -> list[ModeChoice]:
    """Parse `torch:script` into one mode, `torch` into all; `tensorflow@2.20` also names an environment.

    A mode in 8 bits computes something slightly different, so it has to be named itself.
    """
    versioned, _, mode = text.partition(":")
    name = versioned.partition(VERSION_SIGN)[0]
    if name not in load_frameworks():
        raise unknown_name_error("framework", name, load_frameworks())
    modes = [mode.name for mode in load_frameworks()[name].modes]
    if mode and mode not in modes:
        raise unknown_name_error(f"mode of {name}", mode, modes)
    environment = versioned if VERSION_SIGN in versioned else ""
    return [
        ModeChoice(name, each, environment)
        for each in ([mode] if mode else [each for each in modes if not each.startswith(INT8)])
    ]


def expand_alternatives(text: str) -> Iterator[str]:
    """Yield two workloads for `rnn:length=8/32` or `matmul:cache/memory`: a parameter or a preset may be an axis."""
    head, *given = text.split(":")
    choices = []
    for item in given:
        key, sign, values = item.rpartition("=")
        choices.append([f"{key}{sign}{value}" for value in values.split("/")])
    if math.prod(len(values) for values in choices) > MAX_CELLS:
        raise UsageError(f"{head}: its parameters have more than {MAX_CELLS} combinations; name fewer values")
    yield from (":".join((head, *chosen)) for chosen in itertools.product(*choices))


def parse_workload(text: str, among: Mapping[str, Workload]) -> WorkloadChoice:
    """Parse `rnn:length=32:hidden=64` into a workload and its parameters; the others have their defaults.

    `gpt:small:length=64` begins with a preset, and `./mine:length=64` names a folder.
    """
    head, *given = text.split(":")
    workload = among[head]
    name, known = workload.name, {parameter.name: parameter for parameter in workload.parameters}
    values = {parameter.name: parameter.default for parameter in known.values()}
    for item in given:
        key, sign, value = item.partition("=")
        if not sign and key not in known:
            if key not in workload.presets:
                raise unknown_name_error(f"parameter or preset of {name}", key, [*known, *workload.presets])
            values |= workload.presets[key]
            continue
        if key not in known:
            raise unknown_name_error(f"parameter of {name}", key, known)
        if not re.fullmatch(r"[0-9]{1,12}", value) or int(value) < known[key].minimum:
            least, given_as = known[key].minimum, value if len(value) <= 40 else f"{value[:37]}..."
            raise UsageError(f"{name}: {key} must be a whole number of at least {least}, not {given_as!r}")
        values[key] = int(value)
    return choose_workload(workload, values)


def choose_workload(workload: Workload, values: Mapping[str, int]) -> WorkloadChoice:
    """Return the choice of a workload with these values of its parameters."""
    name, variant = name_choice(workload)
    return WorkloadChoice(name, tuple(values.items()), workload.code, variant)


def name_choice(workload: Workload) -> tuple[str, str]:
    """Return the name of a cell's workload, and of the variant if there are several."""
    return (workload.variant_of, workload.name) if workload.variant_of else (workload.name, "")
