"""The launcher for this machine, which runs each job in a fresh interpreter of the cell's environment."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.environments.lookup import Environments
from orchestrator.execution import supervisor
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.execution.supervisor import Ending
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts
from schemas.event import Event
from schemas.job import JobSpec

# The worker is started as a file: `-m` would put two more frames under every call, and TensorFlow's eager mode walks
# the stack of frames for each operation. It finds its own modules by this path, and none of them is in its sys.path.
WORKER = Path(__file__).resolve().parents[3].joinpath("workers", "start.py")


@dataclass(frozen=True, slots=True)
class LocalLauncher:
    """A launcher of one worker after another, each in its own process group. Warm caches are kept in `caches`."""

    interrupts: Interrupts | None = None
    caches: Path | None = None
    keys: Keyboard | None = None
    environments: Environments = field(default_factory=Environments)

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        """Run one job in the interpreter of its environment."""
        environment = self.environments.find_for_job(spec)
        assert environment.record is not None, "environments are made before jobs are launched"
        with self._job_folder(spec) as folder:
            placed = insert_folder(spec, folder)
            return supervisor.run(
                # -P: without it the script's folder would come first in sys.path.
                [str(environment.python), "-P", str(WORKER)],
                placed.model_dump_json().encode(),
                make_variables(os.environ, placed) | {"TMPDIR": str(folder)},
                log,
                deadline_s=spec.deadline_s,
                on_event=on_event,
                stop_requests=StopRequests(self.interrupts, self.keys),
                limits=spec.limits,
            )

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


def insert_folder(spec: JobSpec, folder: Path) -> JobSpec:
    """Return the spec for the worker, with the folder's path in place of {cache} in its variables."""
    placed = {name: text.replace("{cache}", str(folder)) for name, text in spec.variables.items()}
    return spec.model_copy(update={"variables": placed})


def make_variables(inherited: Mapping[str, str], spec: JobSpec) -> dict[str, str]:
    """Return the worker's environment variables: the user's, without those that change Python, plus the job's.

    The memory layout depends on the size of the environment and on the hash seed, and times depend on the layout. Both
    differ from job to job, so that no cell is always lucky (Mytkowicz et al., ASPLOS 2009).
    """
    # PYTHONDONTWRITEBYTECODE alone can add a second to each import of torch.
    kept = {name: value for name, value in inherited.items() if not name.startswith("PYTHON")}
    python = {"PYTHONHASHSEED": str(spec.hash_seed), "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    ours = {"PLUMBLINE_PARENT": str(os.getpid()), "PLUMBLINE_PADDING": "x" * spec.padding_bytes}
    return kept | dict(spec.variables) | python | ours
