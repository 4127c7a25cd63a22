"""TensorFlow's graphs as files: a SavedModel, which is a folder, packed into one file."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from schemas.models import ModelSource
from workers.errors import Malformed, summarise_error
from workers.interfaces import Step

v1 = tf.compat.v1
SERVING_TAG = v1.saved_model.tag_constants.SERVING
SIGNATURE_KEY = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY


def write_function(model: Any, graph: Step, path: Path) -> None:
    """Save a traced function and the variables that it uses."""
    # TensorFlow refuses to save a function whose variables are not part of the saved module.
    whole = tf.Module()
    whole.model, whole.step = model, graph
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(whole, folder)
        pack_folder(folder, path)


def read_function(path: Path) -> Any:
    """Load a saved module: its `step` is the traced function, and its variables live as long as the module."""
    return tf.saved_model.load(unpack_folder(path))


class Signature:
    """A signature of a user's SavedModel as a call: its inputs and outputs have an order, that of their names."""

    def __init__(self, source: ModelSource, saved: Any) -> None:
        self._saved = saved  # its variables live as long as it does
        self._call = saved.signatures[choose_signature(source, list(saved.signatures))]
        self.inputs: dict[str, Any] = dict(sorted(self._call.structured_input_signature[1].items()))

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        made = self._call(**dict(zip(self.inputs, inputs, strict=True)))
        return tuple([made[name] for name in sorted(made)])


def read_signature(source: ModelSource) -> Signature:
    """Load the signature of a user's SavedModel.

    Raises:
        Malformed: it cannot be loaded, or does not have this signature.
    """
    try:
        saved = tf.saved_model.load(source.file)
    except Exception as error:  # whatever a damaged file leads to
        raise Malformed(f"{source.title} cannot be loaded: {summarise_error(error)}") from error
    return Signature(source, saved)


def choose_signature(source: ModelSource, names: Sequence[str]) -> str:
    """Return the signature that a user names, or the only one.

    Raises:
        Malformed: there is no such signature, or there are several and none is named.
    """
    place = source.file.rpartition("/")[2]
    if not names:
        raise Malformed(f"{place} has no signature; save the model with tf.saved_model.save(..., signatures=...)")
    if source.attribute in names or (not source.attribute and len(names) == 1):
        return source.attribute or names[0]
    said = f"no signature {source.attribute}" if source.attribute else f"{len(names)} signatures"
    raise Malformed(f"{place} has {said}; name one of {', '.join(names)}, as in --model {place}/:{names[0]}")


def write_graph(session: Any, feeds: Sequence[Any], fetches: Sequence[Any], path: Path) -> None:
    """Save a session's graph and variables."""
    inputs, outputs = ({str(place): each for place, each in enumerate(ends)} for ends in (feeds, fetches))
    with tempfile.TemporaryDirectory() as parent, session.graph.as_default():
        folder = str(Path(parent, "saved"))
        v1.saved_model.simple_save(session, folder, inputs, outputs)
        pack_folder(folder, path)


def read_graph(path: Path, config: Any) -> Step:
    """Open a session on a saved graph and return its callable."""
    session = v1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        signature = v1.saved_model.load(session, [SERVING_TAG], unpack_folder(path)).signature_def[SIGNATURE_KEY]
    inputs, outputs = (
        [session.graph.get_tensor_by_name(ends[str(place)].name) for place in range(len(ends))]
        for ends in (signature.inputs, signature.outputs)
    )
    return session.make_callable(outputs, feed_list=inputs)


def pack_folder(folder: str, path: Path) -> None:
    """Pack a folder into one file. Nothing is compressed, because saving and loading are timed."""
    with tempfile.TemporaryDirectory() as place:
        # make_archive appends a suffix to the name, and the file's name is given.
        shutil.move(shutil.make_archive(str(Path(place, "packed")), "tar", folder), path)


def unpack_folder(path: Path) -> str:
    """Unpack the folder that a file holds, into the job's temporary folder."""
    folder = tempfile.mkdtemp()
    # The filter refuses members that would be written outside of the folder.
    shutil.unpack_archive(path, folder, "tar", filter="data")
    return folder
