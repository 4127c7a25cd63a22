"""Publication: the description of a published run, which others recompute from its samples."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned
from schemas.machine_type import MachineType
from schemas.record import Outcome

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ShortHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
# No leading dot or slash in any part, so no name leads out of the folder.
FileName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$", max_length=400)
]


class PublishedFile(Model):
    """One file of a publication."""

    sha256: Sha256
    size_bytes: NonNegativeInt


class PublishedInterval(Model):
    """An estimate with the ends of its interval. Null: the data do not support it."""

    estimate: float | None
    low: float | None
    high: float | None


class PublishedCell(Model):
    """The result of one cell. `rank` is the interval of places that it may hold; null: it is not ranked."""

    id: str
    label: str
    outcome: Outcome | None
    processes: NonNegativeInt
    rank: tuple[PositiveInt, PositiveInt] | None
    time_ns: PublishedInterval


class PublishedComparison(Model):
    """The comparison of two cells; `ratio` is time of `cell` over time of `baseline`, with room for disturbances."""

    baseline: str
    cell: str
    blocks: NonNegativeInt
    ratio: PublishedInterval
    verdict: str


class PublishedGroup(Model):
    """The conclusion about the cells that compute the same."""

    title: str
    baseline: str
    cells: tuple[PublishedCell, ...]
    comparisons: tuple[PublishedComparison, ...]
    clone: PublishedComparison | None = Field(description="the baseline against itself; null: not both were measured")


class Publication(Versioned):
    """The description of a published run: where and when it was measured, what it concludes, and its files.

    Figures have six significant digits. `code` is the hash of the code that measured, `fingerprint` that of all that
    affects times, and `started` the time in UTC at which the run began.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    started: str
    machine: ShortHash = Field(description="hash of the machine's type")
    machine_type: MachineType
    fingerprint: ShortHash
    code: Sha256
    blocks: NonNegativeInt
    groups: tuple[PublishedGroup, ...]
    files: dict[FileName, PublishedFile] = Field(description="every file beside this one, by its path in the folder")
