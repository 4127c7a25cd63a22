"""The judge: a process of its own, which knows what is right and compares with it what measured processes have saved.

It lives as long as the run, so that the reference is evaluated once for all jobs with the same data. The code that is
measured runs in other processes: it can neither read what is expected nor change how it is compared.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from schemas.artefact import Artefact
from schemas.event import SavedResults, TensorCheck, Verification
from schemas.job import JobSpec
from schemas.judging import (
    BEFORE,
    CHANGES_INPUTS,
    CONTINUED,
    FIRST,
    SECOND,
    SET,
    TIMED,
    UNQUANTISED,
    Answer,
    DataRequest,
    DataWritten,
    Judgement,
    JudgeRequest,
    Request,
    name_computation,
)
from workers.artefacts import artefact_from_file
from workers.failures import make_failure
from workers.models.problem import ModelProblem
from workers.problem.given import write_problem
from workers.problem.location import resolve_package
from workers.problem.problem import Problem
from workers.process.channel import Channel
from workers.process.parent_death import die_with_parent
from workers.process.sandbox import protect_from_reference
from workers.results import ResultsChanged, read_results
from workers.session import make_problem
from workers.tasks.recheck import describe_conditioning, format_percent
from workers.verification.quantised import hold_quantised
from workers.verification.tolerance import explain_checks, hold_strictly

# The size limit of the problems that are kept beside the one in hand: jobs of several come in random order.
MAX_KEPT_BYTES = 1 << 28


def serve_requests() -> None:
    """Answer one request after another on standard input, until it ends."""
    channel, judge, is_restricted = Channel.claim(), Judge(), False
    die_with_parent(int(os.environ["PLUMBLINE_PARENT"]))
    while line := sys.stdin.buffer.readline():
        asked = REQUEST.validate_json(line)
        if asked.spec.sandbox and not is_restricted:
            protect_from_reference(asked.spec, Path(asked.log).parent, Path(asked.folder))
            is_restricted = True
        with redirect_output(Path(asked.log)):
            answer = judge.answer_request(asked)
        channel.send(answer)


@contextmanager
def redirect_output(log: Path) -> Iterator[None]:
    """Append what a reference prints to the log of the job."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
    yield
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the disk with the log may be full
            stream.flush()


REQUEST: TypeAdapter[Request] = TypeAdapter(Request)


@dataclass(slots=True)
class Judge:
    """The problems of the jobs so far, with all that was worked out of them."""

    problems: dict[str, Problem] = field(default_factory=dict)

    def answer_request(self, asked: Request) -> Answer:
        """Compare the results of a job with what is right, or write what a job is given."""
        try:
            problem = self.find_problem(asked.spec)
            if isinstance(asked, DataRequest):
                return DataWritten(artefact=write_data(problem, Path(asked.path)))
            found = verify_results(problem, asked)
            return Judgement(verification=found, work=problem.count_work(), notes=describe_doubts(problem))
        except Exception as error:  # whatever a reference raises ends the job
            traceback.print_exc()
            return make_failure(error, asked.spec)

    def find_problem(self, spec: JobSpec) -> Problem:
        """Find the problem of a job, or make it."""
        key = name_computation(spec)
        # The one that was asked for last comes last, and the first is let go of.
        problem = self.problems.pop(key, None) or make_problem(spec, resolve_package(spec))
        while self.problems and sum(each.count_bytes() for each in self.problems.values()) > MAX_KEPT_BYTES:
            del self.problems[next(iter(self.problems))]
        self.problems[key] = problem
        return problem


def write_data(problem: Problem, path: Path) -> Artefact:
    """Write what a job is given to a file; of a user's model, that is what its reference process was given itself."""
    if isinstance(problem, ModelProblem):
        problem.stored.copy_data(path)
    else:
        write_problem(problem, path)
    return artefact_from_file(path)


def verify_results(problem: Problem, asked: JudgeRequest) -> Verification:
    """Compare all results of a job; the reason is that of the first one that is wrong, or that is missing."""
    checks, reasons = list[TensorCheck](), list[str]()
    for saved in asked.saved:
        found = verify_call(problem, asked, saved)
        checks += found.checks
        if found.reason and not reasons:
            reasons.append(explain_first(problem, asked, saved, found.reason))
    reasons += describe_missing(problem, asked)
    return Verification(
        checks=keep_worst(checks),
        reason=reasons[0] if reasons else "",
        referee=asked.spec.reference,
        agreement=problem.agreement,
        likeness=problem.likeness,
    )


def verify_call(problem: Problem, asked: JudgeRequest, saved: SavedResults) -> Verification:
    """Compare the results of one call, or of a few steps of training."""
    if saved.error:
        return problem.explain_error(saved.case, saved.error)
    try:
        results = read_results(Path(asked.spec.results), saved)
    except ResultsChanged as error:
        return Verification(checks=(), reason=str(error))
    sketched = asked.spec.block == 1 and saved.when in (FIRST, SECOND, BEFORE)
    if saved.is_recheck:
        return problem.make_recheck().check_case(saved.case, results, saved.when)
    found = problem.check_case(saved.case, results, saved.when, sketched=sketched)
    if asked.spec.cell.is_quantised:
        return check_quantised(found, saved)
    if is_proven(problem, asked) or saved.when == CONTINUED:
        return found
    checks = hold_strictly(found.checks)
    return found if checks == found.checks else Verification(checks=checks, reason=explain_checks(checks))


def check_quantised(found: Verification, saved: SavedResults) -> Verification:
    """Hold a mode in 8 bits to its own limit, and the model that it was made of to the tolerance of its dtype."""
    if saved.when != UNQUANTISED:
        checks = hold_quantised(found.checks)
        return Verification(checks=checks, reason=explain_checks(checks))
    # These results are no evidence of what 8 bits cost.
    checks = tuple(check.model_copy(update={"equal_argmax": None}) for check in found.checks)
    return Verification(checks=checks, reason=found.reason)


def is_proven(problem: Problem, asked: JudgeRequest) -> bool:
    """Return whether the mode is verified in float64, or was in an earlier block, so that rounding may be large."""
    return not problem.is_rechecked or asked.spec.block != 1 or any(each.is_recheck for each in asked.saved)


def explain_first(problem: Problem, asked: JudgeRequest, saved: SavedResults, reason: str) -> str:
    """Return why a job is wrong: the cause of its first wrong results, where it is known."""
    if asked.randomness and saved.when in (FIRST, SECOND, BEFORE):
        return asked.randomness
    if saved.when == SECOND and not problem.is_streaming:
        return f"right on the inputs it was prepared with, but {reason}"
    changed = [CHANGES_INPUTS] if asked.changes_inputs and saved.when in TIMED else []
    return ", and so its results: ".join([*changed, reason])


def list_due(problem: Problem, spec: JobSpec) -> set[tuple[str, str]]:
    """Return the cases that results are due of, each with when, in words."""
    due = {(case, when) for case, times in problem.list_due(thorough=spec.thorough).items() for when in times}
    return due | {(f"{SET}0", UNQUANTISED)} if spec.thorough and spec.cell.is_quantised else due


def describe_missing(problem: Problem, asked: JudgeRequest) -> list[str]:
    """Describe the results that are due, and that a job has not saved: a job that saves none is not right."""
    saved = asked.saved
    if any(each.error for each in saved):
        return []  # no call comes after that
    found = {(each.case, each.when) for each in saved} | {("", each.when) for each in saved}
    missing = sorted(list_due(problem, asked.spec) - found) + [
        (case, "") for case in problem.new_shapes if case not in {at for at, _ in found}
    ]
    return [f"its report lacks the results of {' '.join(filter(None, each))}" for each in missing]


def describe_doubts(problem: Problem) -> tuple[str, ...]:
    """Describe results that last bits move far, unless the worker has done so."""
    moved = {} if problem.ill_conditioned else problem.list_moved()
    said = [describe_conditioning(moved, "nothing is more precise")] if moved else []
    if lossy := problem.list_lossy():
        tensor = max(lossy, key=lambda name: lossy[name])
        said.append(
            f"its reference loses digits: in float32 its own {tensor} is off by {format_percent(lossy[tensor])}, so "
            "modes may be as well there; each is verified in float64"
        )
    return tuple(said)


def keep_worst(checks: Sequence[TensorCheck]) -> tuple[TensorCheck, ...]:
    """Return of several checks of a tensor that are named alike only the one with the largest error."""
    worst: dict[tuple[str, str], TensorCheck] = {}
    for check in checks:
        kept = worst.setdefault((check.tensor, check.inputs), check)
        if not check.passed or (kept.passed and (check.error or 0) > (kept.error or 0)):
            worst[check.tensor, check.inputs] = check
    return tuple(worst.values())
