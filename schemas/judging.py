"""Messages between the orchestrator and a judge, each one line of JSON.

A judge is a process of its own that knows what is right. The worker saves its results to a file, and the judge compares
them once the job has ended.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.artefact import Artefact
from schemas.base import Model
from schemas.event import Failure, SavedResults, Verification, Work
from schemas.job import Cell, JobSpec

# The case of a set of inputs begins with this, and its number follows.
SET = "set "
# The case of the first steps of training.
BEGINNING = "beginning"

# When the calls were whose results are compared.
FIRST = "first call"
SECOND = "second call"
LAST = "last timed call"
WITHIN = "a call within a sample"
LATER = "after all samples"
BEFORE = "before all timing"
AFTER = "after all timing"
# A step of training from where the timed ones have ended.
CONTINUED = "the step after all timed ones"
# The model in floating point that a mode in 8 bits was made of.
UNQUANTISED = "before it was quantised"
IN_FLOAT64 = "in float64"
AT_ONCE = "at once with others"
TIMED = (LAST, WITHIN, LATER)

CHANGES_INPUTS = "its calls change their inputs in place"


# The parts of a cell that do not decide what is computed.
WAYS = frozenset(
    {"framework", "mode", "threads", "device", "environment", "track", "cache", "origin", "tuning", "replica"}
)
# The parts of a spec that do, beside the cell.
SOURCES = ("seed", "source_dir", "package", "model", "reference", "weights", "expected")


def name_computation(spec: JobSpec) -> str:
    """Return a text that is the same for all jobs with the same data and the same right results."""
    parts: dict[str, bool | set[str]] = {"cell": set(Cell.model_fields) - WAYS, **dict.fromkeys(SOURCES, True)}
    return spec.model_dump_json(include=parts)


class Question(Model):
    """The part that all requests have in common."""

    spec: JobSpec
    log: str = Field(description="file of the job's log, for what a reference prints")
    folder: str = Field(description="folder of the data of all jobs, beside the folders with their results")


class DataRequest(Question):
    """The request to write what the worker of a job is given to a file: weights and inputs, and nothing expected."""

    kind: Literal["data"] = "data"
    path: str


class DataWritten(Model):
    """The answer to it."""

    kind: Literal["written"] = "written"
    artefact: Artefact


class JudgeRequest(Question):
    """The request to judge the results of one job, in the file that its spec names."""

    kind: Literal["results"] = "results"
    saved: tuple[SavedResults, ...]
    randomness: str = ""
    changes_inputs: bool = False


class Judgement(Model):
    """The answer of a judge that could compare the results."""

    kind: Literal["judgement"] = "judgement"
    verification: Verification
    work: Work
    notes: tuple[str, ...] = Field(default=(), description="what a reader of the results must know, in sentences")


# A reference that breaks its contract, or raises, is a failure of the job.
Answer = Annotated[Judgement | DataWritten | Failure, Field(discriminator="kind")]
Request = Annotated[JudgeRequest | DataRequest, Field(discriminator="kind")]
