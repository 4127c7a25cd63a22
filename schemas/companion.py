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


class ClientCalls(Model):
    """The calls of one client.

    `latency_ns` are quantiles of their times. `number` is that of the last call's set of inputs. `cores` are those on
    which the client may run while it calls; empty: the system does not tell.
    """

    calls: PositiveInt
    took_ns: PositiveInt
    latency_ns: tuple[PositiveInt, ...]
    number: NonNegativeInt
    cores: tuple[NonNegativeInt, ...]


class Served(Model):
    """The answer to a round, one for each client. `results` is the file with what its last call has returned."""

    kind: Literal["served"] = "served"
    begin_ns: NonNegativeInt = Field(description="of the round that this answers")
    client: ClientCalls
    results: str


Answer = Annotated[Ready | Served | Failure, Field(discriminator="kind")]
