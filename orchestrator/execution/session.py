"""A measuring session: what a sweep, a rerun and the self-test share while their jobs run."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from orchestrator.environments.lookup import Environments
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.machine import affinity
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts


@dataclass(frozen=True, slots=True)
class MeasuringSession:
    """The launcher of this machine, with the signals and keys that stop its jobs."""

    interrupts: Interrupts
    keys: Keyboard
    launcher: LocalLauncher


@contextmanager
def open_session(
    cores: Collection[int],
    environments: Environments,
    keys: Keyboard | None = None,
    interrupts: Interrupts | None = None,
) -> Iterator[MeasuringSession]:
    """Keep signals, keys and the workers' descendants under control, and stay off the workers' cores, until the end.

    `interrupts` are those of a caller who keeps signals already. Take the machine's fingerprint and list its cores
    before: inside, this process may use fewer.
    """
    with (
        nullcontext(interrupts) if interrupts else Interrupts() as received,
        descendants.guard_descendants(),
        # Workers inherit this affinity, so each sets its own before it imports its framework.
        affinity.avoid_cores(cores),
        keys or Keyboard() as pressed,
        descendants.make_temporary_folder() as caches,
    ):
        launcher = LocalLauncher(received, caches, pressed, environments)
        yield MeasuringSession(received, pressed, launcher)
