"""Keras models in files, measured by real workers and verified against themselves in float64."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Report
from tests.selection import mark_long
from tests.workers.models.endings import read_refusal

pytest.importorskip("tensorflow")

if TYPE_CHECKING:
    from tests.workers.conftest import Python
    from tests.workers.models.conftest import MakeFileCase

WRITE = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras

words = keras.Input((4,), dtype="int32", name="words")
x = keras.Input((6,), name="x")
rows = keras.layers.Flatten()(keras.layers.Embedding(11, 3)(words))
made = keras.layers.Dense(5)(keras.layers.Dropout(0.5)(keras.layers.Concatenate()([rows, x])))
keras.Model([words, x], {"made": made, "rows": rows}).save(sys.stdin.read())
"""
LAMBDA = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras

keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)]).save(sys.stdin.read())
"""
INPUTS = ("words=int32[batch,4]<11",)


def write(folder: Path, python: "Python", program: str = WRITE) -> Path:
    ended = python(program, str(folder / "net.keras").encode())
    assert ended.status == 0, ended.log
    return folder / "net.keras"


@pytest.mark.parametrize(
    ("mode", "task"),
    mark_long(
        [
            ("tensorflow:function", "forward"),
            ("tensorflow:eager", "forward"),
            ("tensorflow:xla", "forward"),
            ("tensorflow:function", "backward"),
        ],
        quick=[("tensorflow:function", "forward")],
    ),
)
@pytest.mark.long
def test_a_keras_model_runs_in_the_modes_of_tensorflow(
    tmp_path: Path, make_file_case: "MakeFileCase", python: "Python", mode: str, task: str
) -> None:
    last = make_file_case(write(tmp_path, python), inputs=INPUTS).measure(mode, task=task, batch=3)
    assert isinstance(last, Report), last
    assert (last.verification.reason, last.verification.agreement) == ("", "")


@pytest.mark.long
def test_code_in_a_file_is_not_run(tmp_path: Path, make_file_case: "MakeFileCase", python: "Python") -> None:
    said = read_refusal(make_file_case(write(tmp_path, python, LAMBDA)))
    assert said.startswith("net.keras cannot be loaded: ")
    assert said.endswith("is measured as code, by the Python file that builds it")


@pytest.mark.long
def test_a_damaged_file_is_refused_in_one_sentence(
    tmp_path: Path, make_file_case: "MakeFileCase", python: "Python"
) -> None:
    file = write(tmp_path, python)
    with zipfile.ZipFile(file) as whole:
        kept = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(file, "w") as made:
        for name, content in kept.items():
            made.writestr(name, content[: len(content) // 2])
    assert read_refusal(make_file_case(file)).startswith("net.keras cannot be loaded: ")
