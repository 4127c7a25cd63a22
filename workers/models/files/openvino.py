"""Files that OpenVINO alone opens here: its own graphs, and models of TensorFlow Lite."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import openvino

from schemas.job import Cell, Dtype
from schemas.models import InputSignature, ModelSource
from workers.arrays import Array
from workers.errors import Malformed, Unsupported
from workers.interfaces import Step
from workers.models.files.adapter import FileAdapter
from workers.models.files.inputs import UNNAMED

# The types of quantised weights, and the operation by which a graph of OpenVINO rounds values to few steps.
FEW_BITS = ("i4", "u4", "i8", "u8")
ROUNDING = "FakeQuantize"


class Adapter(FileAdapter):
    """A file whose results OpenVINO itself computes, in float32."""

    @cached_property
    def _core(self) -> openvino.Core:
        return openvino.Core()

    @cached_property
    def _model(self) -> openvino.Model:
        try:
            return self._core.read_model(self._source.file)
        except RuntimeError as error:
            raise Malformed(f"OpenVINO cannot read {self._source.title}: {summarise_exception(error)}") from error

    def list_inputs(self) -> Sequence[InputSignature]:
        """Return the inputs of the graph. Its open sizes have no names."""
        return [describe_node(number, each) for number, each in enumerate(self._model.inputs)]

    @property
    def coarse(self) -> bool:  # type: ignore[override]
        """Return whether the graph is quantised."""
        operations = self._model.get_ops()
        constants = (each for each in operations if each.get_type_name() == "Constant")
        weights = {each.get_element_type().to_string() for each in constants if each.get_output_size()}
        return bool(weights & {*FEW_BITS}) or any(each.get_type_name() == ROUNDING for each in operations)

    def make_step(self, dtype: Dtype) -> Step:
        """Return a call of the graph in float32."""
        if dtype == "float64":
            raise Unsupported("OpenVINO computes in float32 at most, and nothing else here opens the file")
        compiled = self._core.compile_model(self._model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

        def step(*inputs: Array) -> tuple[Array, ...]:
            given = [np.asarray(value, kind) for value, kind in zip(inputs, self.dtypes, strict=True)]
            made = compiled(given)
            return tuple(np.array(made[number]) for number in range(len(compiled.outputs)))

        return step


def describe_node(number: int, node: openvino.Output) -> InputSignature:
    """Describe an input of a graph."""
    shape = node.get_partial_shape()
    if shape.rank.is_dynamic:
        raise Unsupported(f"input {number} has any number of axes")
    name = node.any_name if node.names else f"input{number}"
    sizes = tuple(each.get_length() if each.is_static else UNNAMED for each in shape)
    return InputSignature(name, np.dtype(node.element_type.to_dtype()).name, sizes, {}, None)


def summarise_exception(error: RuntimeError) -> str:
    """Return the first line of OpenVINO's message that is neither a place in its source nor a check."""
    lines = [each.strip() for each in str(error).splitlines()]
    told = [each for each in lines if each and not each.startswith(("Exception from", "Check "))]
    return (told or lines)[0][:200].rstrip(".!")


def make_adapter(source: ModelSource, cell: Cell, seed: int) -> Adapter:
    """Adapt a file to OpenVINO."""
    return Adapter(source, cell, seed)
