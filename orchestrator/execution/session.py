"""A measuring session: what a sweep, a rerun and the self-test share while their jobs run."""

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass

from orchestrator.environments.lookup import Environments
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.launchers.judges import Judges
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.launchers.template_pool import TemplatePool
from orchestrator.machine import affinity
from orchestrator.machine.core_locks import find_lock_folder, list_unlocked
from orchestrator.machine.kernel_files import KernelFiles
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts


@dataclass(frozen=True, slots=True)
class MeasuringSession:
    """The launcher of this machine with its templates, and the signals and keys that stop its jobs."""

    interrupts: Interrupts
    keys: Keyboard
    launcher: LocalLauncher
    templates: TemplatePool


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
    others = sorted({*affinity.list_cores()}.difference(cores))
    siblings, locks = affinity.list_siblings(KernelFiles(), others), find_lock_folder()
    with (
        nullcontext(interrupts) if interrupts else Interrupts() as received,
        descendants.guard_descendants(),
        # Workers inherit this affinity, so each sets its own before it imports its framework.
        affinity.avoid_cores(cores),
        keys or Keyboard() as pressed,
        descendants.make_temporary_folder() as caches,
    ):
        templates = TemplatePool(environments, received, lambda: list_unlocked(others, siblings, locks))
        judges = Judges(environments)
        launcher = LocalLauncher(received, caches, pressed, environments, templates, judges)
        with closing(templates), closing(judges):
            yield MeasuringSession(received, pressed, launcher, templates)
