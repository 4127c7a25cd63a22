"""Messages between a worker and its companions: further processes of its cell that answer requests beside it.

Each is one line of JSON. A companion first reads its spec, and says that it is ready; then it answers each round.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Model, NonNegativeInt, PositiveInt
from schemas.event import Failure


class Ready(Model):
    """The first answer: the step of a companion is warm."""

    kind: Literal["ready"] = "ready"


class Round(Model):
    """The request to answer requests from a moment on, by the monotonic clock of the system."""

    begin_ns: NonNegativeInt
    threads: NonNegativeInt = Field(
        default=0, description="0: one client calls; otherwise so many do, in threads, once all of them are ready"
    )


class Served(Model):
    """The answer to it: the calls of one client from that moment on. Each client has one.

    `latency_ns` are quantiles of the times of its calls. `results` is the file with what its last call has returned,
    and `number` that of the set of inputs of that call. `cores` are those on which it may run while it calls; empty:
    the system does not tell.
    """

    kind: Literal["served"] = "served"
    begin_ns: NonNegativeInt = Field(description="of the round that this answers")
    calls: PositiveInt
    took_ns: PositiveInt
    latency_ns: tuple[PositiveInt, ...]
    number: NonNegativeInt
    results: str
    cores: tuple[NonNegativeInt, ...]


Answer = Annotated[Ready | Served | Failure, Field(discriminator="kind")]
