"""The claim of a measuring command to its workers' cores: the quietest that no other sweep measures on."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.machine.activity import Activity, observe_activity
from orchestrator.machine.affinity import list_cores, list_siblings
from orchestrator.machine.core_locks import CoresTaken, find_lock_folder, hold_cores
from orchestrator.machine.kernel_files import KernelFiles
from orchestrator.machine.quiet_cores import order_cores

# Duration of the observation that tells quiet cores from busy ones.
OBSERVATION_S: Final = 0.5

# Two sweeps that start at once may each hold a core that the other needs. So they try twice, out of step.
ATTEMPTS: Final = 2
JITTER_S: Final = 0.1

# Time between two attempts of a command that waits. Each observes all processes, which may disturb those that measure.
POLL_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class CoreClaim:
    """The cores that this process holds, preferred and quiet ones first, and the activity of the machine before."""

    cores: tuple[int, ...]
    now: Activity


@contextmanager
def claim_cores(
    count: int, runs: Path, *, preferred: Sequence[int] = (), on_wait: Callable[[str], None] | None = None
) -> Iterator[CoreClaim]:
    """Observe the machine for a moment, and hold its quietest free cores while entered.

    With `on_wait`, announce once that cores are taken, and wait for them. A signal ends this program meanwhile, so
    enter this before anything that would have to be cleaned up.

    Raises:
        UsageError: too few cores are free, and waiting is not wanted.
    """
    available = list_cores()
    siblings, folder = list_siblings(KernelFiles(), available), find_lock_folder()
    with ExitStack() as stack:

        def observe_and_hold() -> CoreClaim:
            pause_s = OBSERVATION_S + random.uniform(0, JITTER_S)  # noqa: S311 (spread, not secrets)
            now = observe_activity(runs, wait=lambda: time.sleep(pause_s))
            order = order_cores(available, now.core_use, siblings, preferred)
            return CoreClaim(stack.enter_context(hold_cores(count, order, siblings, folder)), now)

        yield repeat_attempts(observe_and_hold, on_wait)


def repeat_attempts(attempt: Callable[[], CoreClaim], on_wait: Callable[[str], None] | None) -> CoreClaim:
    """Try to claim cores a few times, and if waiting is wanted, until it succeeds."""
    tried = 0
    while True:
        try:
            return attempt()
        except CoresTaken as taken:
            tried += 1
            if tried < ATTEMPTS:
                continue
            if on_wait is None:
                raise UsageError(describe_refusal(taken)) from taken
            if tried == ATTEMPTS:
                on_wait(f"Waiting for free cores: {taken.describe_holders()}.")
            time.sleep(POLL_S)


def describe_refusal(taken: CoresTaken) -> str:
    """Describe in one sentence who measures on the cores, and the remedy."""
    return (
        f"too few cores are free to measure on ({taken.needed} needed, {taken.free} free): {taken.describe_holders()}; "
        "wait for them with --wait"
    )
