"""The state that a template leaves for its jobs. Forks are tested with the launcher that asks for them."""

import os
import subprocess
import sys

from schemas.template import TemplateReady

PROGRAM = """
import gc
from schemas.template import TemplateSpec
from workers.template import import_for_jobs

print(import_for_jobs(TemplateSpec(framework={framework!r}, cpus=())).model_dump_json())
print(gc.isenabled(), gc.get_freeze_count() > 10_000, sum(gc.get_count()) < 2_000)
"""


def import_apart(framework: str) -> tuple[TemplateReady, list[bool]]:
    """Import a framework as a template does, in a process with one thread.

    Return its answer, and whether the collector of garbage is on, ignores what was imported and has next to nothing to
    look at.
    """
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM.format(framework=framework)]
    done = subprocess.run(command, env=alone, capture_output=True, text=True, check=True, timeout=120)
    answer, state = done.stdout.splitlines()
    return TemplateReady.model_validate_json(answer), [word == "True" for word in state.split()]


def test_jobs_collect_garbage_as_ever_and_look_at_nothing_that_was_imported() -> None:
    ready, state = import_apart("numpy")
    assert ready == TemplateReady()
    assert state == [True, True, True]


def test_a_framework_that_is_missing_is_an_obstacle() -> None:
    ready, _ = import_apart("no_such_framework")
    assert ready.obstacle == "importing no_such_framework failed: ModuleNotFoundError"
