"""The judges of a run: processes that compare what the measured ones have saved with what is right.

They stand idle while a job runs, and compare its results once all its processes have ended.
"""

import os
import select
import selectors
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError

from orchestrator.environments.lookup import Environments
from orchestrator.execution.event_stream import MessageFeed
from orchestrator.execution.launchers.worker_command import make_command, make_variables, omit_folder
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.execution.supervisor import Ending
from orchestrator.processes.descendants import make_temporary_folder
from orchestrator.processes.process import Process, kill_process_group, open_log, start_process
from orchestrator.processes.signals import format_signal
from schemas.artefact import Artefact
from schemas.event import Failure, Report
from schemas.job import JobSpec, Measure
from schemas.judging import Answer, DataRequest, DataWritten, Judgement, JudgeRequest, Request, name_computation

ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)

# More would fill the memory of a small machine with references.
MOST_JUDGES = 4

CHUNK_BYTES = 1 << 16

# A judge may take so many times as long as a job: it evaluates the reference on all inputs, once for all jobs.
DEADLINE_FACTOR = 3

# A job has ended by itself when it is judged, so whoever stops the sweep loses its result only to a long comparison.
GRACE_S = 0.5

# The work of each request, in words.
WORK = {"data": "working out its data and what is right", "results": "comparing its results with the reference"}

Key = tuple[object, ...]


class NoAnswer(Exception):
    """A judge has not answered in time, or not at all; the message says why."""


class JudgeEnded(NoAnswer):
    """A judge has ended before it has answered."""


@dataclass(slots=True)
class Judges:
    """The judges that stand ready. Each has one interpreter, and the reference of at most one workload of a user."""

    environments: Environments = field(default_factory=Environments)
    _standing: dict[Key, Process] = field(default_factory=dict)
    _data: dict[Key, Artefact] = field(default_factory=dict)
    _files: ExitStack = field(default_factory=ExitStack)
    _folder: Path | None = None

    def provide_data(self, spec: JobSpec, log: Path, requests: StopRequests) -> JobSpec | Ending:
        """Return the spec for a worker with what its job is given, and without what it must not know.

        If there is none, return the ending of a job that was not started.
        """
        if not isinstance(spec.purpose, Measure):
            return spec
        key = (*self._find_key(spec), name_computation(spec))
        if key not in self._data:
            folder = self._find_folder()
            path = folder.joinpath(f"{len(self._data)}.npz")
            answer = self._ask_judge(DataRequest(spec=spec, log=str(log), folder=str(folder), path=str(path)), requests)
            if not isinstance(answer, DataWritten):
                return end_unjudged(Ending("ended", 0, (), 0), answer, requests)
            self._data[key] = answer.artefact
        return give_data(spec, self._data[key])

    def judge_job(self, spec: JobSpec, ending: Ending, log: Path, requests: StopRequests) -> Ending:
        """Return the ending of a job with its results compared; `spec` names the file that holds them.

        Where that fails, the last event is the failure instead of the report.
        """
        last = ending.events[-1] if ending.events else None
        if ending.how != "ended" or not isinstance(last, Report):
            return ending
        asked = JudgeRequest(
            spec=spec,
            log=str(log),
            folder=str(self._find_folder()),
            saved=last.saved,
            randomness=last.randomness,
            changes_inputs=last.changes_inputs,
        )
        before, answer = ending.events[:-1], self._ask_judge(asked, requests)
        if isinstance(answer, Judgement):
            return replace(ending, events=(*before, add_judgement(last, answer)))
        return end_unjudged(replace(ending, events=before), answer, requests)

    def close(self) -> None:
        """End all judges, and remove what they have written."""
        while self._standing:
            end_judge(self._standing.popitem()[1])
        self._files.close()
        self._data.clear()
        self._folder = None

    def _find_folder(self) -> Path:
        """Return the folder for the data of all jobs."""
        if self._folder is None:
            self._folder = self._files.enter_context(make_temporary_folder())
        return self._folder

    def _find_key(self, spec: JobSpec) -> Key:
        """Return what all jobs of one judge have in common."""
        return (self.environments.find_for_job(spec).python, spec.source_dir, spec.package)

    def _ask_judge(self, asked: Request, requests: StopRequests) -> Answer:
        """Ask a judge; a failure to answer is a failure of the job, unless another judge can answer."""
        try:
            with suppress(JudgeEnded):  # by a signal from outside, perhaps; what ends it by itself does so again
                return self._ask_standing_judge(asked, requests)
            return self._ask_standing_judge(asked, requests)
        except NoAnswer as error:
            return Failure(outcome="raised", reason=str(error))

    def _ask_standing_judge(self, asked: Request, requests: StopRequests) -> Answer:
        key = self._find_key(asked.spec)
        judge = self._standing.pop(key, None) or self._start_judge(asked.spec)
        self._standing[key] = judge  # the one that was asked last comes last
        while len(self._standing) > MOST_JUDGES:
            end_judge(self._standing.pop(next(iter(self._standing))))
        try:
            return exchange_messages(judge, asked, requests)
        except NoAnswer:
            end_judge(self._standing.pop(key))
            raise

    def _start_judge(self, spec: JobSpec) -> Process:
        command = make_command(self.environments.find_for_job(spec).python, "judge")
        with open_log(Path(os.devnull)) as quiet:
            return start_process(command, make_variables(os.environ, omit_folder(spec)), stderr=quiet)


def give_data(spec: JobSpec, data: Artefact) -> JobSpec:
    """Return the spec for a worker: of a model, its file without expected results, or else weights and inputs.

    The seed would tell inputs to come. Only a user's own test draws by it, in its own process.
    """
    given = {"expected": data} if spec.model is not None else {"data": data, "expected": None}
    return spec.model_copy(update=given | ({} if spec.model is not None and spec.model.test else {"seed": 0}))


def end_unjudged(ending: Ending, answer: Answer, requests: StopRequests) -> Ending:
    """Return the ending of a job about which its judge could say nothing, or failed: its last event is the failure."""
    if found := requests.find_request():
        return replace(ending, how=found[0], reason=found[1])
    failure = (
        answer if isinstance(answer, Failure) else Failure(outcome="raised", reason="its judge answered otherwise")
    )
    return replace(ending, events=(*ending.events, failure))


def add_judgement(report: Report, judged: Judgement) -> Report:
    """Return the report with what the judge has found, and without what it has needed."""
    found = {"verification": judged.verification, "work": judged.work, "notes": (*report.notes, *judged.notes)}
    return report.model_copy(update={**found, "saved": (), "randomness": "", "changes_inputs": False})


def exchange_messages(judge: Process, asked: Request, requests: StopRequests) -> Answer:
    """Send a request to a judge, and wait for its answer.

    Raises:
        JudgeEnded: it has ended.
        NoAnswer: it takes longer than the job may, or the sweep is to stop.
    """
    assert judge.stdin is not None
    assert judge.stdout is not None
    feed = MessageFeed(judge.stdin, asked.model_dump_json().encode() + b"\n")
    line, wait_s = b"", DEADLINE_FACTOR * asked.spec.deadline_s
    end_s = time.monotonic() + wait_s
    with selectors.DefaultSelector() as selector:
        selector.register(feed.pipe, selectors.EVENT_WRITE)
        selector.register(judge.stdout, selectors.EVENT_READ)
        requests.register_sources(selector)
        while not line.endswith(b"\n"):
            ready = {key.fileobj for key, _ in selector.select(max(0.0, end_s - time.monotonic()))}
            if feed.pipe in ready and feed.write_available():
                selector.unregister(feed.pipe)
            requests.read_keys(ready, selector)
            is_over = requests.find_request() and not select.select([judge.stdout], [], [], GRACE_S)[0]
            if is_over or not ready:
                raise NoAnswer(f"{WORK[asked.kind]} took longer than {wait_s:g} s")
            if judge.stdout in ready:
                line += read_part(judge, judge.stdout, asked)
    try:
        return ANSWER.validate_json(line)
    except ValidationError as error:
        raise JudgeEnded(f"the process for {WORK[asked.kind]} sent no answer") from error


def read_part(judge: Process, stream: IO[bytes], asked: Request) -> bytes:
    """Read what a judge has sent so far.

    Raises:
        JudgeEnded: it has ended.
    """
    part = os.read(stream.fileno(), CHUNK_BYTES)
    if not part:
        raise JudgeEnded(f"the process for {WORK[asked.kind]} {describe_end(judge)}")
    return part


def end_judge(judge: Process) -> None:
    """End a judge."""
    for pipe in filter(None, (judge.stdin, judge.stdout)):
        pipe.close()
    kill_process_group(judge)


def describe_end(judge: Process) -> str:
    """Describe how a judge has ended."""
    kill_process_group(judge)
    status = judge.returncode or 0
    return f"ended by {format_signal(-status)}" if status < 0 else f"exited with status {status}"
