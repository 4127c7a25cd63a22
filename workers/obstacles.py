"""Known obstacles of compilers and exporters, each with what its user can do next."""

import re
from dataclasses import dataclass
from pathlib import Path

from workers.errors import locate_error, walk_causes


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An obstacle, by the type and the message of an error; groups of the pattern complete the sentence."""

    pattern: re.Pattern[str]
    sentence: str
    remedy: str


OBSTACLES = (
    Obstacle(
        re.compile(r"operator torchvision::nms does not exist"),
        "the installed torchvision does not fit this PyTorch, and other libraries import it",
        "uninstall torchvision, or install the build that fits",
    ),
    Obstacle(
        re.compile(r"data-dependent|GuardOnDataDependentSymNode|DataDependentOutputException"),
        "its control flow depends on the values of tensors, and an exported graph has none",
        "use torch.where or torch.cond there, or measure torch:script, which keeps branches",
    ),
    Obstacle(
        re.compile(r"Failed to get source for <?(?:function |class )?'?([\w.]+)"),
        "TorchScript compiles source code, and has none of {0}",
        "measure torch:trace or torch:compile instead",
    ),
    Obstacle(
        re.compile(r"No (?:ONNX function|decompositions)[^<]*<OpOverload\(op='([\w.:]+)'"),
        "ONNX has no translation of {0}",
        "measure torch:aot or torch:compile instead, or compute it by other operations",
    ),
    Obstacle(
        re.compile(r"^(?:NotSupportedError|UnsupportedNodeError|FrontendError): (?:\w+Error: )?([^\n]+?):?\n"),
        "TorchScript does not support this: {0}",
        "rewrite that line, or measure torch:trace or torch:compile instead",
    ),
    Obstacle(
        # The signature of a function may come first, and the source follows.
        re.compile(r"^RuntimeError: \s*(?:\w+\([^\n]*\) -> [^\n]*:\n)?\s*([^\n]+?)[ .:]*\n(?s:.*)<--- HERE"),
        "TorchScript does not accept this: {0}",
        "rewrite that line, or measure torch:trace or torch:compile instead",
    ),
    Obstacle(
        re.compile(r"^OperatorNotAllowedInGraphError: |symbolic `tf.Tensor` as a Python `bool`"),
        "its control flow depends on the values of tensors, and AutoGraph could not convert it",
        "use tf.cond or tf.where there",
    ),
    Obstacle(
        re.compile(r"^(?:TracerBoolConversionError|TracerIntegerConversionError|ConcretizationTypeError): "),
        "its control flow depends on the values of arrays, which jax.jit does not know",
        "use jax.lax.cond or jnp.where there, or name such an argument in static_argnums",
    ),
)


def explain_obstacle(error: BaseException, folder: Path) -> str:
    """Explain in one sentence what stands in the way, where in this folder, and what to do; empty if it is unknown."""
    for each in walk_causes(error):
        text = f"{type(each).__name__}: {each}"
        for obstacle in OBSTACLES:
            if found := obstacle.pattern.search(text):
                place = locate_error(error, folder)
                sentence = obstacle.sentence.format(*found.groups())
                return f"{sentence}{f' ({place})' if place else ''}; {obstacle.remedy}"
    return ""
