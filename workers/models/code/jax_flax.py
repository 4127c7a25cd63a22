"""Modules of flax, linen and nnx: their variables as arrays by name, and calls with such arrays in their place."""

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax

from workers.models.code.jax_state import Bound, Form, name_path, split_leaves

# Arguments by which linen modules are told to train, and to leave dropout out.
TRAINING_NAMES = ("train", "training", "is_training")
DETERMINISTIC_NAMES = ("deterministic",)
AVERAGE_NAMES = ("use_running_average",)
PARAMETERS = "params"

Call = tuple[tuple[Any, ...], dict[str, Any]]


def adapt_flax(made: Any, call: Callable[[], Call], *, training: bool, seed: int) -> Form | None:
    """Return the form of a flax module, or of a linen module with its variables; None: it is none."""
    module, variables = made if is_pair(made) else (made, None)
    if is_kind(module, "flax.linen", "Module"):
        return adapt_linen(module, variables, call(), training=training, seed=seed)
    return adapt_nnx(made, training=training) if is_kind(made, "flax.nnx", "Module") else None


def is_pair(made: Any) -> bool:
    """Return whether a value is a pair, as a model and its parameters."""
    return type(made) is tuple and len(made) == 2


def is_kind(value: Any, module: str, name: str) -> bool:
    """Return whether a value is an instance of a class of a module, which has then been imported."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def adapt_linen(module: Any, variables: Any, call: Call, *, training: bool, seed: int) -> Form:
    """Return the form of a linen module: its variables are made by a call unless they are given."""
    arguments, named = call
    dropouts = set[str]()
    flags = choose_flags(module, training=training)
    given = {**flags, **named}
    with skip_dropout(dropouts):
        keys = dict(zip((PARAMETERS, "dropout"), jax.random.split(jax.random.key(seed)), strict=True))
        drawn = module.init(keys, *arguments, **given)
    if variables is not None:
        drawn = variables if PARAMETERS in variables else {PARAMETERS: variables}
    leaves, tree = jax.tree_util.tree_flatten_with_path(drawn)
    paths = [(name_path(path[1:] if is_parameter(path) else path), is_parameter(path), leaf) for path, leaf in leaves]
    changing = [name for name in drawn if name != PARAMETERS] if training else []

    def bind(arrays: list[Any]) -> Bound:
        held = jax.tree_util.tree_unflatten(tree, arrays)

        def call_bound(*inputs: Any, **others: Any) -> tuple[Any, Callable[[], list[Any]]]:
            settings = {**flags, **others}
            with skip_dropout(set()) if training and dropouts else nullcontext():
                if not changing:
                    return module.apply(held, *inputs, **settings), lambda: arrays
                made, changed = module.apply(held, *inputs, mutable=changing, **settings)
            return made, lambda: jax.tree_util.tree_leaves({**held, **changed})

        return call_bound

    return Form(split_leaves(paths), bind, len(dropouts) if training else 0)


def is_parameter(path: tuple[Any, ...]) -> bool:
    """Return whether a path leads to a parameter of a linen module, and not to its statistics."""
    return name_path(path[:1]) == PARAMETERS


def choose_flags(module: Any, *, training: bool) -> dict[str, bool]:
    """Return the arguments of a linen module's call that say how its layers behave, as far as it has them."""
    accepted = inspect.signature(type(module).__call__).parameters
    said: Mapping[str, bool] = {
        **dict.fromkeys(TRAINING_NAMES, training),
        **dict.fromkeys(DETERMINISTIC_NAMES, True),
        **dict.fromkeys(AVERAGE_NAMES, not training),
    }
    return {name: value for name, value in said.items() if name in accepted}


def skip_dropout(found: set[str]) -> AbstractContextManager[Any]:
    """Return a context in which linen's dropout layers return their inputs; those that are called are found."""
    linen: Any = sys.modules["flax.linen"]

    def intercept(following: Any, arguments: Any, named: Any, context: Any) -> Any:
        module = context.module
        if context.method_name == "__call__" and isinstance(module, linen.Dropout):
            found.add("/".join(module.path))
            return arguments[0] if arguments else named["inputs"]
        if context.method_name == "__call__" and getattr(module, "dropout_rate", 0) and hasattr(module, "num_heads"):
            found.add("/".join(module.path))
            named = {**named, "deterministic": True}
        return following(*arguments, **named)

    return linen.intercept_methods(intercept)


def adapt_nnx(module: Any, *, training: bool) -> Form:
    """Return the form of an nnx module, whose parameters and statistics are its variables."""
    nnx: Any = sys.modules["flax.nnx"]
    if training:
        module.train()
    else:
        module.eval()
    droppers = [each for _, each in nnx.iter_modules(module) if hasattr(each, "deterministic")]
    for each in droppers:
        each.deterministic = True
    dropouts = [each for each in droppers if getattr(each, "rate", 0) or getattr(each, "dropout_rate", 0)]
    # Keys and counts of generators stay as they are.
    graph, parameters, generators, rest = nnx.split(module, nnx.Param, nnx.RngState, ...)
    leaves, tree = jax.tree_util.tree_flatten_with_path((parameters, rest))
    # A path ends with the attribute of a variable that holds its array.
    paths = [(name_path(path[1:]).removesuffix(".value"), path[0].idx == 0, leaf) for path, leaf in leaves]

    def bind(arrays: list[Any]) -> Bound:
        held = jax.tree_util.tree_unflatten(tree, arrays)
        made = nnx.merge(graph, held[0], generators, held[1])

        def collect() -> list[Any]:
            _, trained, _, others = nnx.split(made, nnx.Param, nnx.RngState, ...)
            return jax.tree_util.tree_leaves((trained, others))

        return lambda *inputs, **named: (made(*inputs, **named), collect)

    return Form(split_leaves(paths), bind, len(dropouts) if training else 0)
