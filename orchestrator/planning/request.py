"""The texts of a request, parsed: frameworks, workloads and their parameters."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping

from orchestrator.environments.definitions import VERSION_SIGN
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.workloads import resolve_workloads
from schemas.sweep import SweepSpec
from schemas.workloads import Workload

MAX_CELLS = 10_000


def list_workload_texts(spec: SweepSpec) -> Iterator[str]:
    """Yield every text of a sweep that names a workload."""
    yield from spec.axes.workloads
    yield from (pick.workload for pick in (*spec.exclude, *spec.include) if pick.workload is not None)


def parse_framework(text: str) -> list[tuple[str, str, str]]:
    """Parse `torch:script` into one mode, `torch` into all; `tensorflow@2.20` also names an environment."""
    versioned, _, mode = text.partition(":")
    name = versioned.partition(VERSION_SIGN)[0]
    if name not in load_frameworks():
        raise unknown_name_error("framework", name, load_frameworks())
    modes = [mode.name for mode in load_frameworks()[name].modes]
    if mode and mode not in modes:
        raise unknown_name_error(f"mode of {name}", mode, modes)
    environment = versioned if VERSION_SIGN in versioned else ""
    return [(name, each, environment) for each in ([mode] if mode else modes)]


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


def parse_workload(text: str, among: Mapping[str, Workload] | None = None) -> tuple[str, dict[str, int]]:
    """Parse `rnn:length=32:hidden=64` into a workload and its parameters; the others have their defaults.

    `gpt:small:length=64` begins with a preset, and `./mine:length=64` names a folder.
    """
    head, *given = text.split(":")
    workload = (resolve_workloads([text]) if among is None else among)[head]
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
    return name, values
