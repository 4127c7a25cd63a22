"""The defaults of a sweep of models: what a model is decides where it runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import UsageError
from orchestrator.files.toml import read_limited_text
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.model_files import get_file_kind
from orchestrator.registry.models import (
    is_installed,
    lacks_optimizer,
    list_missing_packages,
    load_models,
    read_batch,
    read_requirements,
)
from schemas.catalog import Framework
from schemas.environment import CURRENT, DEFAULT
from schemas.job import OWN_TRAINING, TRAIN, Task
from schemas.models import ModelRequest, ModelSource
from schemas.workloads import Workload

# The modes that are measured unless the user names others. Modes that compile for minutes have to be named.
DEFAULT_MODES = {
    "torch": ("torch:eager", "torch:trace", "torch:script", "torch:compile"),
    "tensorflow": ("tensorflow:eager", "tensorflow:function", "tensorflow:xla"),
    "jax": ("jax:eager", "jax:jit"),
}


def resolve_model_folders(said: dict[str, Any], beside: Path) -> dict[str, Any]:
    """Give every model the folder from which its path and its imports are seen, so that it is found from anywhere."""
    for model in said.get("models", ()):
        if isinstance(model, dict):
            model.setdefault("folder", str(beside.resolve()))
    return said


def apply_models(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Complete the content of a sweep that names models: workloads, modes, task, cache and environment.

    Raises:
        UsageError: a model does not exist, or cannot run in any environment that is known.
    """
    axes, environments = said.get("axes", {}), said.get("environments", {})
    if not said.get("models") or not isinstance(axes, Mapping) or not isinstance(environments, Mapping):
        return said
    try:
        requests = [ModelRequest.model_validate(each) for each in said["models"]]
    except (ValidationError, TypeError):
        return said  # the validation of the whole sweep names the place
    models = load_models(requests)
    environment, added = choose_environment(axes, [*zip(models.values(), requests, strict=True)])
    tasks = choose_tasks(axes.get("tasks", ("forward",)), models.values())
    modes = {name_group(model): list_default_modes(model, tasks, environment) for model in models.values()}
    defaults = {
        "workloads": [*models],
        "frameworks": [*dict.fromkeys(mode for each in modes.values() for mode in each)],
        "tasks": tasks,
        "batch": choose_batch(models.values()),
        "cache": ("warm",),
        "environment": (environment,),
    }
    return {
        **said,
        "axes": {**defaults, **axes, "tasks": tasks},
        "environments": {**environments, **added},
        "exclude": [*said.get("exclude", ()), *list_foreign_modes(models.values(), modes)],
    }


def choose_tasks(tasks: Sequence[Task], models: Iterable[Workload]) -> Sequence[Task]:
    """Return the tasks, with the optimiser of the models' files in place of `train` if a file has one."""
    if TRAIN not in tasks or isinstance(tasks, str) or all(map(lacks_optimizer, models)):
        return tasks
    return [OWN_TRAINING if each == TRAIN else each for each in tasks]


def choose_batch(models: Iterable[Workload]) -> Sequence[int]:
    """Return the batch that the first model's inputs function has as its default, for all models."""
    return [read_batch(each.model) for each in models if each.model is not None][:1]


def list_foreign_modes(models: Iterable[Workload], modes: Mapping[str, Iterable[str]]) -> Iterator[dict[str, str]]:
    """Yield the choices of each model with the modes for models of another kind, which are not to be measured."""
    for model in models:
        own = modes[name_group(model)]
        foreign = dict.fromkeys(mode for group in modes.values() for mode in group if mode not in own)
        yield from ({"framework": mode, "workload": model.name} for mode in foreign)


def name_group(model: Workload) -> str:
    """Return what decides the modes of a model: the kind of its file, or the framework that its code is written for."""
    kind = get_file_kind(model)
    return kind.name if kind else model.reference


def choose_environment(
    axes: Mapping[str, Any], models: list[tuple[Workload, ModelRequest]]
) -> tuple[str, dict[str, Any]]:
    """Return the environment where models run, and its definition if it is one to be created.

    It is the current one if the framework and all that a model imports are there. Otherwise it is created with the
    model's requirements.

    Raises:
        UsageError: packages are missing here, and nothing says which ones to install.
    """
    named: dict[str, Any] = {}
    for model, request in models:
        assert model.model is not None
        framework = load_frameworks()[model.reference]
        if requirements := request.requirements or read_requirements(model.model) or list_file_requirements(model):
            named[model.name] = {"requirements": [framework.requirement, *requirements]}
        elif "environment" not in axes:
            check_imports(model.model, framework)
    if named:
        return next(iter(named)), named
    here = all(is_installed(load_frameworks()[model.reference].package) for model, _ in models)
    return (CURRENT if here else DEFAULT), {}


def check_imports(model: ModelSource, framework: Framework) -> None:
    """Check that this interpreter has all that a model imports, except the framework, which can be provided."""
    missing = [name for name in list_missing_packages(model) if name != framework.package]
    if missing:
        them = "it" if len(missing) == 1 else "them"
        raise UsageError(
            f"{model.title} imports {', '.join(missing)}, which this environment lacks; install {them} here, name the "
            "interpreter with which the model runs (--env PATH), or list what it needs (--requirements FILE)"
        )


def list_file_requirements(model: Workload) -> tuple[str, ...]:
    """Return the requirements for the file of a model in an environment to create; none if all is installed here."""
    kind = get_file_kind(model)
    if kind is None or all(map(is_installed, (load_frameworks()[kind.framework].package, *kind.packages))):
        return ()
    others = {mode.partition(":")[0] for mode in kind.modes} - {kind.framework}
    return (*(load_frameworks()[name].requirement for name in sorted(others)), *kind.requirements)


def list_default_modes(model: Workload, tasks: Sequence[Task], environment: str) -> list[str]:
    """Return the modes for a model: its framework's own, and those of installed runtimes for exported models."""
    if (kind := get_file_kind(model)) is not None:
        needed = {mode: load_frameworks()[mode.partition(":")[0]].package for mode in kind.modes}
        return [mode for mode, package in needed.items() if environment != CURRENT or is_installed(package)]
    framework = model.reference
    modes = [*DEFAULT_MODES.get(framework, (f"{framework}:eager",))]
    if tuple(tasks) == ("forward",) and environment == CURRENT:
        runtimes = (each for each in load_frameworks().values() if each.exporter == framework)
        modes += [each.name for each in runtimes if all(map(is_installed, (each.package, *each.also_needs)))]
    return modes


def name_sizes(models: Sequence[Mapping[str, Any]], sizes: Iterable[str]) -> list[str]:
    """Return the names of models with values for sizes of their inputs, as `--workloads` takes them.

    Raises:
        UsageError: a text is not of the form length=64,128.
    """
    given = []
    for text in sizes:
        name, sign, values = text.partition("=")
        if not (name and sign and values):
            raise UsageError(f"--dim {text!r} must be a size and its values, as in --dim length=64,128")
        given.append(f"{name}={values.replace(',', '/')}")
    return [":".join((name, *given)) for name in load_models(map(ModelRequest.model_validate, models))]


def read_requirements_file(path: Path) -> list[str]:
    """Read the requirements in a file, one a line; comments are left out.

    Raises:
        UsageError: it cannot be read.
    """
    lines = (line.partition(" #")[0].strip() for line in read_limited_text(path).splitlines())
    return [line for line in lines if line and not line.startswith("#")]
