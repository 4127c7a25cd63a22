"""TensorFlow's graphs as files: a SavedModel, which is a folder, packed up."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from workers.frameworks import Step

v1 = tf.compat.v1
SERVE = v1.saved_model.tag_constants.SERVING
SIGNATURE = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY


def write(model: Any, graph: Step, path: Path) -> None:
    """Save a traced function and the variables that it uses."""
    whole = tf.Module()
    whole.model, whole.step = model, graph
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(whole, folder)
        pack(folder, path)


def read(path: Path) -> Any:
    """The saved whole: its `step` is the function, traced as it was, and its variables live as long as it does."""
    return tf.saved_model.load(unpacked(path))


def write_graph(session: Any, feeds: Sequence[Any], fetches: Sequence[Any], path: Path) -> None:
    """Save a session's graph and variables."""
    inputs, outputs = ({str(place): each for place, each in enumerate(ends)} for ends in (feeds, fetches))
    with tempfile.TemporaryDirectory() as parent, session.graph.as_default():
        folder = str(Path(parent, "saved"))
        v1.saved_model.simple_save(session, folder, inputs, outputs)
        pack(folder, path)


def read_graph(path: Path, config: Any) -> Step:
    """A session on a saved graph, ready to be called."""
    session = v1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        signature = v1.saved_model.load(session, [SERVE], unpacked(path)).signature_def[SIGNATURE]
    inputs, outputs = (
        [session.graph.get_tensor_by_name(ends[str(place)].name) for place in range(len(ends))]
        for ends in (signature.inputs, signature.outputs)
    )
    return session.make_callable(outputs, feed_list=inputs)


def pack(folder: str, path: Path) -> None:
    """A folder as one file. Nothing is compressed: what is timed is saving and loading."""
    with tempfile.TemporaryDirectory() as place:
        shutil.move(shutil.make_archive(str(Path(place, "packed")), "tar", folder), path)


def unpacked(path: Path) -> str:
    """The folder that a file holds, in the job's own folder for files."""
    folder = tempfile.mkdtemp()
    shutil.unpack_archive(path, folder, "tar", filter="data")
    return folder
