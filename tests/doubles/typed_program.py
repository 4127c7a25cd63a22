"""The program itself on a node whose machine is of another type than this one, by the name of the node.

The fingerprint is changed here and nowhere else: no setting of the program can.
"""

import sys

from orchestrator.cli import main
from orchestrator.machine import fingerprint
from schemas.record import Host

take_real_fingerprint = fingerprint.take_fingerprint


def take_typed_fingerprint() -> Host:
    """Describe this machine with a CPU of the node's name."""
    node = sys.argv[sys.argv.index("--node") + 1]
    return take_real_fingerprint().model_copy(update={"cpu": f"CPU of {node}"})


fingerprint.take_fingerprint = take_typed_fingerprint  # type: ignore[assignment]
main()
