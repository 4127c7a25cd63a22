"""Does all that a worker should do: reads its message, says hello, names its phases, reports, and leaves."""

import json
import os
import sys

message = sys.stdin.buffer.read()
print("a framework talks", file=sys.stderr)


def say(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


say(kind="hello", schema_version=1, pid=os.getpid(), python="3.11.0", interpreter=sys.executable)
say(kind="phase", name="import")
say(kind="phase", name="steady")
say(
    kind="report",
    schema_version=1,
    versions={"message": message.decode(), "variable": os.environ.get("VARIABLE", "")},
    settings=[],
    phases=[{"name": "steady", "wall_ns": 300, "cpu_ns": 300}],
    verification={"checks": []},
    inputs_sha256="",
    warmup_ns=[20, 10],
    calls=10,
    samples_ns=[100, 101],
)
