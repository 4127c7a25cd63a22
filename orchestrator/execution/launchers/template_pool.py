"""The templates of one block. Each block has its own, and so another layout of memory.

Jobs share a template if they have the interpreter, the framework and the environment variables in common. The A/A
clone has one of its own. If the import of a framework starts threads, each of its jobs has a parked one of its own,
which becomes the job.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from orchestrator.environments.lookup import Environments
from orchestrator.execution.launchers.template import NoTemplate, Template, start_template
from orchestrator.execution.launchers.worker_command import omit_folder
from orchestrator.processes.signals import Interrupts
from orchestrator.registry.frameworks import load_frameworks
from schemas.job import JobSpec
from schemas.template import TemplateReady

# More interpreters beside each other could fill the memory of a small machine; further jobs start fresh.
MOST_TEMPLATES = 8

# Memory that is available for each template before it starts: about twice what importing TensorFlow takes.
TEMPLATE_BYTES = 1 << 30

Key = tuple[object, ...]


def find_no_cores() -> Collection[int]:
    """Return no cores: templates import on those of their jobs."""
    return ()


@dataclass(slots=True)
class TemplatePool:
    """The templates that stand ready now.

    `find_spare_cores` returns the cores beside those of the jobs on which nobody measures. All templates of a block
    import side by side, before its first job, so that nothing runs beside a measurement.
    """

    environments: Environments
    interrupts: Interrupts | None = None
    find_spare_cores: Callable[[], Collection[int]] = find_no_cores
    _standing: dict[Key, Template] = field(default_factory=dict)
    _obstacles: dict[Key, TemplateReady] = field(default_factory=dict)

    def open_block(self, jobs: Iterable[JobSpec]) -> None:
        """Replace the templates of the block before by those for these jobs, and wait until they are ready.

        A framework that could not be forked once is not tried again: its jobs are parked where they can be.
        """
        self.close()
        wanted = self._list_wanted([job for job in jobs if job.start == "template"])
        spare = self.find_spare_cores() if wanted else ()
        busy_s = dict.fromkeys(sorted({*spare, *(core for job in wanted.values() for core in job.cpus)}), 0.0)
        affordable = [*wanted.items()][: count_affordable()]
        for key, job in sorted(affordable, key=lambda each: -expect_import_s(each[1])):
            python, is_parked = self.environments.find_for_job(job).python, self._make_kind(job) in self._obstacles
            # The threads of a parked one stay on the cores on which they were started.
            cores = job.cpus if is_parked else choose_import_cores(job.cpus, busy_s)
            busy_s |= {core: busy_s[core] + expect_import_s(job) for core in cores}
            with suppress(OSError):  # the jobs that start fresh meet the same error, and record it
                self._standing[key] = start_template(python, job, cores, is_parked=is_parked)
        for key, template in self._standing.items():
            with suppress(NoTemplate):  # its jobs find out, and start fresh
                ready = template.await_ready(self.interrupts)
                if ready.obstacle:
                    self._obstacles[self._make_kind(wanted[key])] = ready

    def _list_wanted(self, jobs: Sequence[JobSpec]) -> dict[Key, JobSpec]:
        """Return a job for each template that is wanted: for all that share it, or for one that has to be parked."""
        shared, parked = dict[Key, JobSpec](), dict[Key, JobSpec]()
        for job in jobs:
            known = self._obstacles.get(self._make_kind(job))
            if known is None:
                shared[self._make_key(job)] = job
            elif known.may_park:
                parked[(*self._make_key(job), job.cell.id)] = job
        return shared | parked

    def find_template(self, job: JobSpec) -> Template:
        """Find the template of a job.

        Raises:
            NoTemplate: there is none.
        """
        key = self._make_key(job)
        if parked := self._standing.pop((*key, job.cell.id), None):
            return parked  # the job's from now on
        if known := self._obstacles.get(self._make_kind(job)):
            raise NoTemplate(known.obstacle)
        if template := self._standing.get(key):
            return template
        raise NoTemplate(f"no template was started for it; at most {MOST_TEMPLATES} stand beside each other")

    def close(self) -> None:
        """End all templates."""
        while self._standing:
            self._standing.popitem()[1].end_process()

    def _make_key(self, job: JobSpec) -> Key:
        return (*self._make_kind(job), job.cell.replica, job.cpus)

    def _make_kind(self, job: JobSpec) -> Key:
        """Return what decides whether a template can fork."""
        variables = frozenset(omit_folder(job).variables.items())
        return (self.environments.find_for_job(job).python, job.cell.framework, job.module, variables)


def count_affordable() -> int:
    """Return the number of templates that may stand beside each other with the memory that is available now."""
    return min(MOST_TEMPLATES, psutil.virtual_memory().available // TEMPLATE_BYTES)


def expect_import_s(job: JobSpec) -> float:
    """Return how long importing a job's framework takes, in seconds, as the catalog knows it."""
    return load_frameworks()[job.cell.framework].start_s


def choose_import_cores(jobs: Sequence[int], busy_s: Mapping[int, float]) -> tuple[int, ...]:
    """Return as many cores as the jobs have: those on which templates import for the shortest time so far, in seconds.

    With the longest import first, all are ready soonest (Graham, SIAM J. Appl. Math. 17, 1969).
    """
    return tuple(sorted(sorted(busy_s, key=lambda core: (busy_s[core], core))[: len(jobs)]))
