"""Registry of models as their users have them: a Python file, an import path, or a file that holds a model.

A model's code is read here to tell which framework it is written for, and runs in workers alone.
"""

import ast
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from orchestrator.errors import UsageError, check_utf8
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.model_files import find_stored_model
from orchestrator.registry.workloads import load_workloads
from schemas.catalog import NAME
from schemas.code import UnreadableCode
from schemas.model_code import find_model_file, find_module_file, hash_model_code, list_model_files, parse_file
from schemas.model_files import get_kind
from schemas.models import BATCH, InputSignature, ModelRequest, ModelSource, parse_input
from schemas.workloads import Parameter, Workload

# The framework that code is written for, by the packages that it imports: the first of these that is there decides.
FRAMEWORK_PACKAGES = {
    "torch": (
        *("torch", "torchvision", "torchaudio", "timm", "transformers", "diffusers", "monai", "torch_geometric"),
        *("x_transformers", "lightning", "open_clip", "sentence_transformers", "segmentation_models_pytorch"),
    ),
    "tensorflow": ("tensorflow", "keras", "tf_keras", "keras_hub", "keras_cv", "keras_nlp"),
    "jax": ("jax", "flax", "equinox", "haiku", "optax"),
    "numpy": ("numpy",),
}
INPUT_FUNCTIONS = ("inputs", "get_inputs")
OPTIMIZER = "optimizer"
SMALLEST_SIZE = 1


def load_model(request: ModelRequest) -> Workload:
    """Describe a user's model as a workload.

    Raises:
        UsageError: there is no such file or module, it is not Python, or its inputs are described wrongly.
    """
    source = find_source(request)
    signatures = check_inputs(request.inputs)
    try:
        framework = request.framework or detect_framework(source)
        parameters = () if request.test else tuple(list_parameters(source, signatures, request.sizes))
        return Workload(
            name=check_name(request.name) if request.name else choose_name(source),
            summary=f"the model {source.title}",
            parameters=parameters,
            reference=framework,
            loop="" if request.test else read_loop(source, parameters),
            model=source,
            code=hash_model_code(source),
        )
    except UnreadableCode as error:
        raise UsageError(str(error)) from error


def find_source(request: ModelRequest) -> ModelSource:
    """Find the file or the module that a text names."""
    beside = Path(request.folder or Path.cwd())
    place, _, attribute = request.source.partition(":")
    check_utf8(beside.joinpath(place), "rename the file")
    if (stored := find_stored_model(request, place, attribute, beside)) is not None:
        return stored.model_copy(update={"inputs": request.inputs})
    find = find_file if place.endswith(".py") or "/" in place else find_module
    said = {
        "inputs": request.inputs,
        "inputs_function": find_inputs_function(request.inputs_function, beside),
        "test": request.test,
    }
    # A test imports from the root of its project, too.
    root = {"folder": str(beside.resolve())} if request.test else {}
    return find(place, attribute, beside).model_copy(update=said | root)


def find_file(place: str, attribute: str, beside: Path) -> ModelSource:
    """Find the file of a model."""
    path = beside.joinpath(Path(place).expanduser())
    if not path.is_file():
        raise UsageError(f"there is no file {path}; name a Python file, or an import path such as mypkg.nets:build")
    file = path.resolve()
    return ModelSource(file=str(file), attribute=attribute, folder=str(file.parent))


def find_module(place: str, attribute: str, beside: Path) -> ModelSource:
    """Find the module of a model by its import path."""
    if not all(part.isidentifier() for part in place.split(".")):
        raise UsageError(f"{place!r} is neither a Python file nor an import path such as mypkg.nets:build")
    if not attribute:
        there = beside.joinpath(f"{place}.py").is_file()
        hint = f"did you mean {place}.py?" if there else f"name one, as in {place}:build"
        raise UsageError(f"{place!r} is an import path without an object; {hint}")
    source = ModelSource(module=place, attribute=attribute, folder=str(beside.resolve()))
    if find_model_file(source) is None and not is_installed(place.partition(".")[0]):
        raise UsageError(
            f"there is no module {place} in {beside} or in this environment; run the command where it can be imported"
        )
    return source


def find_inputs_function(text: str, beside: Path) -> str:
    """Find the function that draws the inputs, if one is named; return its place as in `ModelSource`.

    Raises:
        UsageError: there is no such file or module, or no function is named.
    """
    place, _, name = text.partition(":")
    path = beside.joinpath(Path(place).expanduser())
    if text and not name:
        raise UsageError(f"inputs {text!r} name no function; name it, as in mypkg.nets:inputs")
    if place.endswith(".py"):
        if not path.is_file():
            raise UsageError(f"there is no file {path} with the function {name} for the inputs")
        return f"{path.resolve()}:{name}"
    if text and find_module_file(beside, place) is None and not is_installed(place.partition(".")[0]):
        raise UsageError(f"there is no module {place} with the function {name} in {beside} or in this environment")
    return text


def check_name(name: str) -> str:
    """Return the name that a user gives a model.

    Raises:
        UsageError: it cannot name one in results.
    """
    if not re.fullmatch(NAME, name):
        raise UsageError(f"{name!r} cannot name a model; use small letters, digits, _ and -, as in 'eager'")
    return name


def is_installed(package: str) -> bool:
    """Return whether a package can be imported by this interpreter, without importing it."""
    try:
        return package in sys.modules or importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def check_inputs(texts: Iterable[str]) -> list[InputSignature]:
    """Parse the descriptions of inputs."""
    try:
        return [parse_input(text) for text in texts]
    except ValueError as error:
        raise UsageError(f"--input {error}") from error


def detect_framework(source: ModelSource) -> str:
    """Return the framework that a model is written for: what its file says, or imports; of a model file, its referee.

    Raises:
        UsageError: that is no framework, or cannot be told.
    """
    if source.kind:
        return get_kind(source.kind).framework
    file = find_model_file(source)
    if file is not None and (named := read_literal(file, "framework")) is not None:
        if named not in load_frameworks():
            raise UsageError(f"{file}: framework = {named!r} is none; choose one of {', '.join(FRAMEWORK_PACKAGES)}")
        return str(named)
    imported = list_imported_packages(source)
    for framework, packages in FRAMEWORK_PACKAGES.items():
        if imported & {*packages}:
            return framework
    raise UsageError(
        f"{source.title} imports none of {', '.join(FRAMEWORK_PACKAGES)}; say which one runs it by a line "
        'such as framework = "torch" in the file'
    )


def read_loop(source: ModelSource, parameters: Sequence[Parameter]) -> str:
    """Return the size that says how often a timed call calls a model, as its file names it; empty: once.

    Raises:
        UsageError: the model has no such size.
    """
    file = None if source.kind else find_model_file(source)
    named = None if file is None else read_literal(file, "loop")
    if named is None:
        return ""
    sizes = [each.name for each in parameters if each.name != BATCH]
    if named not in sizes:
        known = f"name one of {', '.join(sizes)}" if sizes else "give its inputs function such a size, as in steps=32"
        raise UsageError(f"{file}: loop = {named!r} is no size of its inputs; {known}")
    return str(named)


def list_imported_packages(source: ModelSource) -> set[str]:
    """Return the packages that a model imports, itself or through files of its folder."""
    found = {source.module.partition(".")[0]} if source.module else set()
    files = list_model_files(source) or find_installed_files(source.module)
    return found.union(*map(list_packages, files))


def find_installed_files(module: str) -> list[Path]:
    """Return the file of a module of an installed package, found without importing the package."""
    top, _, rest = module.partition(".")
    found = importlib.util.find_spec(top)
    for folder in (found.submodule_search_locations if found else None) or ():
        file = find_module_file(Path(folder), rest) if rest else Path(folder, "__init__.py")
        if file is not None and file.is_file():
            return [file]
    return []


def list_packages(file: Path) -> set[str]:
    """Return the first part of every absolute import in a file."""
    names = set()
    for node in ast.walk(parse_file(file)):
        if isinstance(node, ast.Import):
            names |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def list_parameters(
    source: ModelSource, signatures: Iterable[InputSignature], named: Iterable[str]
) -> Iterator[Parameter]:
    """Yield the sizes that a sweep may vary: named sizes of `--input`, or numbers of the inputs function.

    Those of a model file are in the file, which is not opened here: the request names them.
    """
    sizes = {name: value for each in signatures for name, value in each.defaults.items()}
    if source.kind:
        sizes = dict.fromkeys(named, SMALLEST_SIZE) | sizes
    for name, value in (sizes or list_sizes(source)).items():
        if name != BATCH:
            yield Parameter(name=name, default=value, minimum=SMALLEST_SIZE, summary=f"the size {name} of the inputs")


def read_batch(source: ModelSource) -> int:
    """Return the batch that a model's inputs function has as its default; 1 if it has none."""
    return 1 if source.kind or source.inputs else list_sizes(source).get(BATCH, 1)


def list_sizes(source: ModelSource) -> dict[str, int]:
    """Return the parameters of the inputs function with whole numbers as defaults, read without running it."""
    place, _, name = source.inputs_function.rpartition(":")
    if not name:
        file = find_model_file(source)
    else:
        file = Path(place) if place.endswith(".py") else find_module_file(Path(source.folder), place)
    return {
        argument: default.value
        for node in (parse_file(file).body if file is not None else ())
        if isinstance(node, ast.FunctionDef) and node.name in ((name,) if name else INPUT_FUNCTIONS)
        for argument, default in list_defaults(node.args)
        if isinstance(default, ast.Constant) and type(default.value) is int and default.value > 0
    }


def list_defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the parameters of a function that have a default, with it."""
    positional = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    for argument, default in (
        *zip(positional, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ):
        yield argument.arg, default


def read_literal(file: Path, name: str) -> object:
    """Return the value of a name that a file assigns a literal at its top level; None if there is none."""
    for node in parse_file(file).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == name for each in node.targets
        ):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                return None
    return None


def lacks_optimizer(model: Workload) -> bool:
    """Return whether a model has no function `optimizer` in its file, as far as that can be read without running it."""
    if model.model is None or model.model.kind or model.model.test is not None:
        return True
    file = find_model_file(model.model)
    return file is not None and OPTIMIZER not in list_names(parse_file(file))


def list_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names that the top level of a file defines, assigns or imports."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name for each in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from (each.id for each in ast.walk(node) if isinstance(each, ast.Name) and is_stored(each))


def is_stored(name: ast.Name) -> bool:
    """Return whether a name is assigned a value where it stands."""
    return isinstance(name.ctx, ast.Store)


def choose_name(source: ModelSource) -> str:
    """Return a name for a model that no workload has: that of its file, or of its module's last part."""
    said = Path(source.file).stem if source.file else f"{source.module.rpartition('.')[2]}_{source.attribute}"
    plain = re.sub(r"[^a-z0-9_-]+", "_", said.lower()).strip("_-")
    name = plain if plain[:1].isalpha() else f"model_{plain}".rstrip("_")
    return f"{name}-model" if name in load_workloads() else name


def read_requirements(source: ModelSource) -> tuple[str, ...]:
    """Return the requirements that a model's file lists.

    Raises:
        UsageError: they are no list of texts.
    """
    file = find_model_file(source)
    said = read_literal(file, "requirements") if file else None
    if said is None:
        return ()
    if not isinstance(said, list | tuple) or not all(isinstance(each, str) for each in said):
        raise UsageError(f'{file}: requirements must be a list of texts, as in requirements = ["timm==1.0.20"]')
    return tuple(said)


def list_missing_packages(source: ModelSource) -> list[str]:
    """Return the packages that a model imports and that neither its folder nor this interpreter has."""
    if source.kind:
        return []
    names = list_imported_packages(source) - sys.stdlib_module_names
    return sorted(name for name in names if not (is_own(source, name) or is_installed(name)))


def is_own(source: ModelSource, package: str) -> bool:
    """Return whether a package is in the folder that a model imports from."""
    folder = Path(source.folder)
    return find_module_file(folder, package) is not None or folder.joinpath(package).is_dir()


def load_models(requests: Iterable[ModelRequest]) -> dict[str, Workload]:
    """Describe the models of a sweep as workloads, by name.

    Raises:
        UsageError: as in `load_model`, or two have one name.
    """
    found: dict[str, Workload] = {}
    for request in requests:
        model = load_model(request)
        if model.name in found and model.model is not None and model.model.kind:
            # Forms of one model in other files often differ in the suffix alone.
            model = model.model_copy(update={"name": f"{model.name}_{Path(model.model.file).suffix[1:].lower()}"})
        if model.name in found:
            raise UsageError(f"two models are named {model.name}; rename one of the files")
        found[model.name] = model
    if len(found) < 2:
        return found
    together = "+".join(found)
    return {name: model.model_copy(update={"variant_of": together}) for name, model in found.items()}
