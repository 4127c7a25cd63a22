"""The launcher for this machine: each job is a process of its own, a fresh interpreter or forked from a template."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from orchestrator.environments.lookup import Environments
from orchestrator.execution import supervisor
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.launchers.judges import Judges
from orchestrator.execution.launchers.template import NoTemplate
from orchestrator.execution.launchers.template_pool import TemplatePool
from orchestrator.execution.launchers.worker_command import insert_folder, make_command, make_variables
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.execution.supervisor import Ending
from orchestrator.processes import descendants
from orchestrator.processes.process import Process, start_process
from orchestrator.processes.signals import Interrupts
from schemas.event import Event
from schemas.job import JobSpec


@dataclass(frozen=True, slots=True)
class LocalLauncher:
    """A launcher of one worker after another, each in its own process group. Warm caches are kept in `caches`."""

    interrupts: Interrupts | None = None
    caches: Path | None = None
    keys: Keyboard | None = None
    environments: Environments = field(default_factory=Environments)
    templates: TemplatePool | None = None
    judges: Judges | None = None

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        """Run one job in the interpreter of its environment, and let a judge compare its results.

        Without judges of a session, the job has one of its own.
        """
        environment = self.environments.find_for_job(spec)
        assert environment.record is not None, "environments are made before jobs are launched"
        requests = StopRequests(self.interrupts, self.keys)
        with self._open_judges() as judges, self._job_folder(spec) as folder:
            placed = insert_folder(spec, folder)
            given = judges.provide_data(placed, log, requests)
            if isinstance(given, Ending):
                return given
            starter = JobStarter(spec, environment.python, folder, self.templates)
            ending = supervisor.run(
                starter.start_job,
                given.model_dump_json().encode(),
                log,
                deadline_s=spec.deadline_s,
                on_event=on_event,
                stop_requests=requests,
                limits=spec.limits,
            )
            ending = judges.judge_job(placed, ending, log, requests)
            Path(placed.results).unlink(missing_ok=True)  # a warm cache is kept, and its files are counted
        return replace(ending, obstacle=starter.obstacle)

    def _open_judges(self) -> AbstractContextManager[Judges]:
        """Provide the judges of the session, or one for this job."""
        return nullcontext(self.judges) if self.judges else closing(Judges(self.environments))

    @contextmanager
    def _job_folder(self, spec: JobSpec) -> Iterator[Path]:
        """Provide the folder of a job's files, including temporary ones, where Inductor keeps a part of its cache."""
        if spec.cell.cache == "warm":
            assert self.caches is not None
            folder = self.caches / spec.cell.id
            folder.mkdir(exist_ok=True)
            yield folder
        else:
            with descendants.make_temporary_folder() as folder:
                yield folder


@dataclass(slots=True)
class JobStarter:
    """The start of one job, whose files go to `folder`: forked from its template if it is to be, or else fresh.

    `obstacle` tells why it was not forked.
    """

    spec: JobSpec
    python: Path | None
    folder: Path
    templates: TemplatePool | None
    obstacle: str = ""

    def start_job(self, *, stderr: IO[bytes]) -> Process:
        """Start the process of the job."""
        placed, temporary = insert_folder(self.spec, self.folder), {"TMPDIR": str(self.folder)}
        if self.spec.start == "template" and self.templates is not None:
            try:
                return self.templates.find_template(self.spec).fork_job(placed.variables | temporary, stderr)
            except NoTemplate as error:
                self.obstacle = str(error)
        return start_process(make_command(self.python), make_variables(os.environ, placed) | temporary, stderr=stderr)
