"""The code of a user's model: loaded as Python would load it, with its parts found by their names."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from schemas import own_imports
from schemas.models import BATCH, INPUT_EXAMPLE, ModelSource
from workers.contract import OR_CHOOSE_OPTIMIZER, find_place
from workers.errors import Malformed, Unsupported
from workers.models.code.callables import take_callable
from workers.models.signature import draw_signature
from workers.problem.location import UncachedLoader

MODEL_NAMES = ("Model", "build", "model")
INPUT_NAMES = ("inputs", "get_inputs")
# Names with another meaning than that of the model.
RESERVED_NAMES = (*INPUT_NAMES, "get_init_inputs", "loss", "optimizer", "weights", "main")

# Arguments and keyword arguments of one call.
Call = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ModelCode:
    """The module of a model, and the object in it that is the model, its class or what builds it."""

    source: ModelSource
    module: ModuleType
    found: Any

    @property
    def place(self) -> str:
        """Return the file, for messages."""
        return self.source.file or str(getattr(self.module, "__file__", "") or self.source.module)

    @property
    def loss(self) -> Callable[[Any], Any] | None:
        """Return the function that makes a loss of the outputs; None: the file has none."""
        return getattr(self.module, "loss", None)

    @property
    def map_weights(self) -> Callable[[dict[str, Any]], Any] | None:
        """Return the function that makes the model's state of that of another model; None: the file has none."""
        return getattr(self.module, "weights", None)

    def find_optimizer(self, *arguments: str) -> Callable[..., Any]:
        """Return the function that makes the optimiser of a training step, from arguments that are called so.

        Raises:
            Malformed: the file has none, or one with other arguments.
        """
        found, form = getattr(self.module, "optimizer", None), f"optimizer({', '.join(arguments)})"
        if found is None:
            why = f"{self.source.title} has no function {form}"
        elif not callable(found):
            why = f"optimizer in {self.source.title} is no function {form}, but a value of type {type(found).__name__}"
        elif reason := explain_refusal(found, len(arguments)):
            why = f"{self.source.title} has a function optimizer that cannot be called as {form} ({reason})"
        else:
            return cast("Callable[..., Any]", found)
        raise Malformed(
            f"{why}; write one that returns the optimiser, {OR_CHOOSE_OPTIMIZER}",
            find_place(self.module, "optimizer") or self.place,
        )

    def is_computation(self) -> bool:
        """Return whether the object is a function of inputs, and not one that builds a model."""
        return inspect.isroutine(self.found) and bool(list_required(self.found))

    def build_model(self) -> Any:
        """Return the model, or the function that is measured as it is.

        Raises:
            Malformed: the class needs arguments that nothing gives.
        """
        if self.source.test is not None:
            return self.found
        if isinstance(self.found, type):
            return self._construct(self.found)
        if inspect.isroutine(self.found) and not self.is_computation():
            return self.found()
        return self.found

    def _construct(self, kind: type) -> Any:
        given = getattr(self.module, "get_init_inputs", None)
        said = given() if given else ()
        keywords = said if isinstance(said, Mapping) else {}
        arguments = () if keywords else tuple(said)
        try:
            inspect.signature(kind).bind(*arguments, **keywords)
        except TypeError as error:
            raise Malformed(
                f"{kind.__name__} cannot be built with {len(arguments) + len(keywords)} arguments ({error}); write "
                "get_init_inputs() that returns its arguments, or build() that returns the model",
                find_place(kind, "__init__") or self.place,
            ) from error
        except ValueError:  # a class without a signature, as some written in C
            pass
        return kind(*arguments, **keywords)

    def draw_inputs(self, batch: int, sizes: Mapping[str, int], seed: int) -> Call:
        """Draw the arguments of a call.

        Raises:
            Malformed: nothing says what the inputs are.
            Unsupported: the inputs have no batch that could be chosen.
        """
        if self.source.inputs:
            return draw_signature(self.source.inputs, {BATCH: batch, **sizes}, seed)
        draw = self._find_inputs_function()
        if draw is None:
            raise Malformed(
                f"{self.source.title} does not say what its inputs are; write a function inputs(batch=1) that returns "
                f"them, or describe them, as in --input {INPUT_EXAMPLE}",
                self.place,
            )
        accepted = inspect.signature(draw).parameters
        if BATCH not in accepted and batch != 1:
            raise Unsupported(
                f"{draw.__name__}() of {self.source.title} takes no batch; write {draw.__name__}(batch=1), or leave "
                "out --batch"
            )
        given = {name: value for name, value in ((BATCH, batch), *sizes.items()) if name in accepted}
        return to_call(draw(**given))

    def _find_inputs_function(self) -> Callable[..., Any] | None:
        if not self.source.inputs_function:
            named = (getattr(self.module, name, None) for name in INPUT_NAMES)
            return next(filter(callable, named), None)
        place, _, name = self.source.inputs_function.rpartition(":")
        if place in (self.source.file, self.source.module):
            module = self.module
        else:
            module = load_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        draw = getattr(module, name, None)
        if not callable(draw):
            raise Malformed(f"there is no function {name} for the inputs in {place}", place)
        return draw


def explain_refusal(function: Callable[..., Any], number: int) -> str:
    """Return why a function cannot be called with this number of arguments; empty if it can, or nothing is known."""
    try:
        inspect.signature(function).bind(*[None] * number)
    except TypeError as error:
        return str(error)
    except ValueError:  # a class without a signature, as some written in C
        pass
    return ""


def to_call(drawn: Any) -> Call:
    """Return drawn inputs as the arguments of a call: a dict holds keyword arguments, one value stands for itself."""
    if isinstance(drawn, Mapping) and all(isinstance(name, str) for name in drawn):
        return (), dict(drawn)
    return (tuple(drawn), {}) if isinstance(drawn, tuple | list) else ((drawn,), {})


def load_code(source: ModelSource) -> ModelCode:
    """Load the code of a model, with its folder first among those that Python imports from.

    Raises:
        Malformed: it has no model, or several.
        Exception: whatever the code raises.
    """
    if source.test is not None:
        return ModelCode(source, ModuleType(source.test.node), take_callable(source))
    if source.folder not in sys.path:
        sys.path.insert(0, source.folder)
    own_imports.release_names()
    try:
        module = load_file(Path(source.file)) if source.file else importlib.import_module(source.module)
    except SystemExit as error:
        raise Malformed(
            f'{source.title} ends the program when it is imported; put that part below if __name__ == "__main__":',
            source.file,
        ) from error
    return ModelCode(source, module, find_model(source, module))


def load_file(file: Path) -> ModuleType:
    """Load a file as a module of its own name, or of another if a module of that name has been imported."""
    name = file.stem if file.stem not in sys.modules else f"model_{file.stem}"
    spec = importlib.util.spec_from_loader(name, UncachedLoader(name, str(file)), origin=str(file))
    assert spec is not None
    spec.has_location = True
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def find_model(source: ModelSource, module: ModuleType) -> Any:
    """Find the model in a module: the named object, else by its usual names, else the only one defined there."""
    if source.attribute:
        return find_attribute(source, module)
    for name in MODEL_NAMES:
        if callable(getattr(module, name, None)):
            return getattr(module, name)
    candidates = list_candidates(module)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(each.__name__ for each in candidates[:8])
        why = f"has several models ({names}); choose one: --model {source.title}:NAME"
    else:
        why = (
            "has no model; write a class Model, a function build() that returns the model, or name the object: "
            f"--model {source.title}:NAME"
        )
    raise Malformed(f"{source.title} {why}", source.file)


def find_attribute(source: ModelSource, module: ModuleType) -> Any:
    """Find the named object of a module."""
    found: Any = module
    for part in source.attribute.split("."):
        if not hasattr(found, part):
            raise Malformed(f"there is no {source.attribute} in {source.file or source.module}", source.file)
        found = getattr(found, part)
    return found


def list_candidates(module: ModuleType) -> list[Any]:
    """Return the classes that are defined in a module and whose instances are called, or else its functions."""
    own = [each for each in vars(module).values() if is_defined_in(each, module)]
    models = [each for each in own if isinstance(each, type) and has_call(each)]
    return models or [each for each in own if inspect.isfunction(each) and list_required(each)]


def is_defined_in(value: Any, module: ModuleType) -> bool:
    """Return whether a public class or function is defined in a module, and has no other meaning there."""
    name = getattr(value, "__name__", "_")
    return (
        getattr(value, "__module__", None) == module.__name__
        and not name.startswith("_")
        and name not in RESERVED_NAMES
    )


def has_call(kind: type) -> bool:
    """Return whether the instances of a class are called with inputs, as models of all frameworks are."""
    return any("__call__" in vars(each) for each in kind.__mro__ if each is not object)


def list_required(function: Callable[..., Any]) -> list[str]:
    """Return the parameters of a function that have no default; of one without a signature, a name for them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return ["inputs"]
    return [each.name for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
