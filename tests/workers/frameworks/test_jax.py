"""Promises of JAX's compiled mode beyond those of every mode."""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Reported

pytestmark = pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")

PREPARED = """
import jax, numpy as np
from schemas.job import Cell
from workers.frameworks import import_framework
from workers.workloads import import_implementation

built = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, *_, **__: built.append(name) if name == "/jax/core/compile/backend_compile_duration" else None
)
framework = import_framework("jax")(Cell(framework="jax", mode="jit", workload="rnn"))
framework.apply_settings()
model = framework.build(import_implementation("rnn", "jax"), {"W_h": np.eye(4), "W_x": np.ones((4, 3))})
short, long = (framework.arrays([np.ones((length, 2, 3)), np.zeros((2, 4))]) for length in (5, 6))
tracing = framework.step(model, short, [(None, 2, 3), (2, 4)])
compiling = tracing.prepare()
before = len(built)
step = compiling.prepare()
"""

FIRST_CALL = """
ahead = len(built)
step(*short)
print(ahead - before, len(built) - ahead)
"""
LENGTHS = """
for inputs in (short, short, long, short):
    step(*inputs)
    print(framework.compilations())
"""
THREADS = """
from schemas.job import Cell
from workers.frameworks import import_framework
framework = import_framework("jax")(Cell(framework="jax", mode="jit", workload="mlp", threads=999))
framework.apply_settings()
settings = framework.read_settings()
print([(setting.asked, setting.got) for setting in settings if "pool" in setting.name])
"""


def test_what_was_compiled_ahead_is_not_compiled_again_in_the_first_call(python: "Python") -> None:
    assert python(PREPARED + FIRST_CALL).output.split() == [b"1", b"0"]


@pytest.mark.long
def test_another_length_is_a_compilation_and_the_same_again_is_none(python: "Python") -> None:
    assert python(PREPARED + LENGTHS).output.split() == [b"1", b"1", b"2", b"2"]


@pytest.mark.long
def test_64_bit_types_are_on_for_float64_alone(ask: "Ask", reported: "Reported") -> None:
    for dtype, due in (("float32", "off"), ("float64", "on")):
        settings = reported(ask("jax", "jit", "rnn", task="forward", dtype=dtype)).settings
        assert [(each.asked, each.got) for each in settings if each.name == "64-bit types"] == [(due, due)]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not report the cores of a process")
def test_threads_that_were_not_asked_for_before_the_start_are_seen(python: "Python") -> None:
    assert python(THREADS).output.strip() == f"[('999', '{len(os.sched_getaffinity(0))}')]".encode()
