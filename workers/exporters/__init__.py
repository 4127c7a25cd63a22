"""Write a cell's model to a file: exported by another framework, or saved by the cell's mode.

A separate process does this, so that the measured process imports only the framework that it runs on. A module here is
named after an exporting framework and is an `Exporter`. Or it is named after a framework with a format of its own: then
it is an `Exporter` too, which takes the exporting framework's models, or a `Converter` of that framework's files.
"""

import importlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from workers.interfaces import Shape

Write = Callable[[Any, tuple[Any, ...], Sequence[Shape], Path], None]


@runtime_checkable
class Exporter(Protocol):
    """A module that writes models to files with the suffix `SUFFIX`."""

    SUFFIX: str

    @staticmethod
    def export(model: Any, example: tuple[Any, ...], shapes: Sequence[Shape], path: Path) -> None:
        """Write a model to a file, with an open axis wherever a size in `shapes` is None."""


class Converter(Protocol):
    """A module that makes a file of an exporting framework's."""

    @staticmethod
    def convert(source: Path, path: Path) -> None:
        """Convert the file `source` and save it at `path`."""


def load_writer(exporter: str, framework: str, suffix: str) -> Write:
    """Return the function that writes a model of the framework `exporter` to a file for the framework `framework`."""
    source = cast("Exporter", importlib.import_module(f"{__name__}.{exporter}"))
    if suffix == source.SUFFIX:
        return source.export
    # Imported only for another format: the exporter's own needs no second framework.
    own = importlib.import_module(f"{__name__}.{framework}")
    if isinstance(own, Exporter):
        return own.export

    def convert(model: Any, example: tuple[Any, ...], shapes: Sequence[Shape], path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, f"model{source.SUFFIX}")
            source.export(model, example, shapes, file)
            cast("Converter", own).convert(file, path)

    return convert
