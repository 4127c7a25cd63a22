"""Keras models and layers on TensorFlow: their precision, their variables, and their layers that drop values."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Keras reads its backend when it is imported. A user's setting of another one would not fit TensorFlow's modes.
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras

from schemas.job import Dtype
from workers.contract import OR_CHOOSE_OPTIMIZER
from workers.dropout import Dropout
from workers.errors import Malformed, Unsupported

# Layers that draw random numbers at a rate in an attribute without "drop" in its name.
RATED = (keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.AlphaDropout)


def set_precision(dtype: Dtype) -> None:
    """Let layers compute in a dtype, and number their names from the beginning again."""
    keras.utils.clear_session()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def is_layer(value: Any) -> bool:
    """Return whether a value is a layer or a model of Keras."""
    return isinstance(value, keras.layers.Layer)


def convert_model(model: Any, dtype: Dtype) -> Any:
    """Return a model whose layers compute in a dtype: this one, or one made anew from its configuration.

    Raises:
        Unsupported: a layer keeps to another precision.
    """
    if is_in_precision(model, dtype):
        return model
    found = {each.dtype_policy.name for each in list_layers(model)} - {dtype}
    try:
        made = keras.saving.deserialize_keras_object(
            replace_policy(keras.saving.serialize_keras_object(model), found, dtype)
        )
    except Exception as error:  # configurations of custom layers raise errors of any kind
        raise Unsupported(f"a layer of Keras computes in {', '.join(sorted(found))} only") from error
    if not is_in_precision(made, dtype) or list_names(made) != list_names(model):
        raise Unsupported(f"a layer of Keras computes in {', '.join(sorted(found))} only")
    return made


def list_names(layer: Any) -> list[str]:
    """Return the names of the weights that a layer has so far."""
    return [name for name, _, _ in list_variables(layer)]


def is_in_precision(model: Any, dtype: Dtype) -> bool:
    """Return whether all layers of a model compute in a dtype."""
    return all(each.dtype_policy.name == dtype for each in list_layers(model))


def replace_policy(said: Any, old: set[str], new: str) -> Any:
    """Return a configuration with one precision in place of others."""
    if isinstance(said, Mapping):
        return {name: replace_policy(value, old, new) for name, value in said.items()}
    if isinstance(said, list | tuple):
        return type(said)(replace_policy(each, old, new) for each in said)
    return new if isinstance(said, str) and said in old else said


def list_layers(model: Any) -> list[Any]:
    """Return a model and all layers in it."""
    return list(model._flatten_layers())  # noqa: SLF001 (the public lists are of the outermost layers)


def list_variables(layer: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield the weights of a layer: name, variable, and whether it is trained. Seeds of generators are no weights."""
    for trained, weights in ((True, layer.trainable_weights), (False, layer.non_trainable_weights)):
        yield from ((each.path, each.value, trained) for each in weights)


def check_optimiser(made: Any, place: str) -> Any:
    """Return the optimiser that a model's file has made, after checking that it is one of Keras.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(made, keras.optimizers.Optimizer):
        kind = type(made).__name__
        raise Malformed(
            f"optimizer() must return an optimiser of keras.optimizers, not a value of type {kind}; return one, "
            f"{OR_CHOOSE_OPTIMIZER}",
            place,
        )
    return made


def find_dropout(layers: Iterable[Any]) -> Dropout:
    """Find the rates at which these layers, and the layers in them, drop values or add noise in training."""
    return Dropout((layer, list_dropout_rates(layer)) for each in layers for layer in list_layers(each))


def list_dropout_rates(layer: Any) -> list[str]:
    """Return the attributes of a layer that are rates at which it draws random numbers itself."""
    names = {name for name, value in vars(layer).items() if isinstance(value, float) and "drop" in name and value > 0}
    names |= {"rate"} if isinstance(layer, RATED) and layer.rate > 0 else set()
    names |= {"stddev"} if isinstance(layer, keras.layers.GaussianNoise) and layer.stddev > 0 else set()
    return sorted(names)


def takes_as_one(layer: Any, named: Mapping[str, Any]) -> bool:
    """Return whether a layer takes these named inputs as one dict, as a functional model does."""
    return bool(named) and not {*named} & {*layer._call_signature.parameters}  # noqa: SLF001 (as Keras itself asks)
