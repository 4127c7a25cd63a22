"""Cluster: the machines on which the shares of a sweep run, and how they are reached."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from schemas.base import Model, PositiveInt
from schemas.limits import Seconds

# No leading dash: a name becomes an argument of another program.
NODE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"
NodeName = Annotated[str, Field(pattern=NODE_NAME_PATTERN)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Files = Literal["shared", "stream"]


def _refuse_no_names(nodes: object) -> object:
    if isinstance(nodes, (list, tuple)) and not nodes:
        raise ValueError("should be a number or names; leave it out for all that Slurm offers")
    return nodes


class Cluster(Model):
    """The machines on which the shares of a sweep run. A share is whole blocks, on one node."""

    on: str = Field(
        default="",
        max_length=1000,
        description="slurm, kubernetes, or a command such as `ssh {node} {command}`; empty: the sweep runs here",
    )
    nodes: Annotated[PositiveInt | tuple[NodeName, ...] | None, BeforeValidator(_refuse_no_names)] = Field(
        default=None, description="number of nodes at once, or their names; null: all that Slurm offers"
    )
    share_blocks: PositiveInt | None = Field(
        default=None, description="blocks of a share; null: each node gets one share of equal size"
    )
    files: Files | None = Field(
        default=None,
        description="shared: nodes see the run's folder under the same path; stream: records come back through the "
        "command; null: shared with Slurm, stream with a command",
    )
    home: str = Field(
        default="", description="folder on each node for its environments; empty: a private one in /var/tmp"
    )
    program: str = Field(
        default="", description="command that starts this program on a node; empty: the interpreter that runs here"
    )
    keep: tuple[VariableName, ...] = Field(
        default=(), description="variables of the launcher or the site that reach the workers"
    )
    patience: Seconds = Field(
        default=120.0, description="a share without a sign of life for so long counts as lost, such as 2m"
    )
    gpus: PositiveInt | None = Field(default=None, description="GPUs of each share; others are hidden from it")
    time: Seconds | None = Field(default=None, description="Slurm's time limit of a share, such as 2h")
    partition: str = Field(default="", max_length=200, description="Slurm's partition")
    constraint: str = Field(default="", max_length=200, description="Slurm's constraint on the features of nodes")
    account: str = Field(default="", max_length=200, description="Slurm's account")
    sbatch: tuple[Annotated[str, Field(pattern=r"^--?[A-Za-z][^\n]*$", max_length=500)], ...] = Field(
        default=(), max_length=50, description="further options of sbatch, such as --qos=low"
    )
