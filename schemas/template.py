"""Messages between the orchestrator and a template: a process that has imported a framework and forks jobs.

A parked one becomes a job itself. Each message is one packet of JSON on a socket. The file descriptors of a job travel
with the request for it.
"""

from schemas.base import Model, NonNegativeInt, PositiveInt

# No message is longer.
MAX_PACKET_BYTES = 1 << 17


class TemplateSpec(Model):
    """The request for a template: what it imports, and on which cores it does so."""

    framework: str
    module: str = ""
    cpus: tuple[NonNegativeInt, ...]
    parked: bool = False


class TemplateReady(Model):
    """The answer of a template that has imported its framework; an `obstacle` keeps it from forking.

    `may_park`: the obstacle is none for a process that becomes a job itself.
    """

    obstacle: str = ""
    may_park: bool = False


class ForkRequest(Model):
    """The request for one job: its own environment variables. Standard input, output and error come with it."""

    variables: dict[str, str]


class Forked(Model):
    """The answer to it, unless the template is parked: the process id of the job, whose parent is the orchestrator."""

    pid: PositiveInt
