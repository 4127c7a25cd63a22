"""`python -m workers`: one JobSpec as JSON on standard input, events on standard output, the rest in the log.

Whatever happens to the job, the last event says it: a Report, or a Failure. The exit status is 0 as long as that
could be said.
"""

import os
import platform
import sys
import traceback

from schemas.event import Failure, FailureOutcome, Hello
from schemas.job import JobSpec
from workers import job
from workers.channel import Channel
from workers.errors import last_line, where
from workers.frameworks import Unsupported
from workers.ledger import Ledger
from workers.lifeline import die_with


def main() -> None:
    """Claim the channel, read the spec, do the job, and leave without the interpreter's tear-down.

    Nothing that is measured happens in a tear-down, and a framework may hang or crash there.
    """
    parent = os.getppid()
    channel = Channel.claim()
    die_with(parent)
    spec = JobSpec.model_validate_json(sys.stdin.buffer.read())
    channel.send(Hello(pid=os.getpid(), python=platform.python_version(), interpreter=sys.executable))
    try:
        channel.send(job.run(spec, Ledger(channel.send)))
    except Exception as error:  # everything that a framework raises becomes the job's last event
        traceback.print_exc()
        channel.send(Failure(outcome=outcome_of(error), reason=last_line(error), where=where(error)))
    sys.stderr.flush()
    os._exit(0)


def outcome_of(error: Exception) -> FailureOutcome:
    """What kind of failure an error is."""
    if isinstance(error, Unsupported):
        return "unsupported"
    return "out-of-memory" if isinstance(error, MemoryError) else "raised"


if __name__ == "__main__":
    main()
