"""Random mutations of valid documents for every parser of outside data: each must fail with a typed error, in time.

`python -m tests.faults.fuzz --inputs 1000000` is the long form; it exits with 1 if a parser did anything else.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.execution.event_stream import EventReader, Garbled
from orchestrator.files import atomic
from orchestrator.planning import sweep_file
from orchestrator.planning.plan import build_plan
from orchestrator.records import store
from schemas.event import Event, Failure, Hello, Phase
from schemas.job import Cell, JobSpec
from schemas.record import Host, JobRecord, Manifest
from schemas.sweep import SweepSpec
from tests.conftest import a_report

TOKENS = [
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"9" * 400,
    b'""',
    b"[]",
    b"{}",
    b"[" * 500,
    b'"\\ud800"',
    b"\x00",
    b"\xff",
    b"\n",
    b'"',
    b"\\",
    b"=",
    b"../",
    b"\x1b[31m",
    b"1" * 5000,
    b"inf",
    b"[[exclude]]",
    b"'''",
]
SLOW_S = 2.0
HOST = Host(cpu="a CPU", cores=2, memory_bytes=1 << 30, system="Linux", python="3.11.0")
CELL = Cell(framework="numpy", mode="eager", workload="mlp", parameters={"depth": 3})
SPEC = JobSpec(cell=CELL, block=1, position=0, seed=1, cpus=(1,), variables={"A": "b"})
RECORD = JobRecord(spec=SPEC, outcome="measured", result=a_report(), host=HOST)
MANIFEST = Manifest(name="x", started="now", command=("a",), sweep=SweepSpec(), seed=1, cells=(CELL,), host=HOST)
TOML = b"""\
name = "x"
deadline = "2m"
[axes]
frameworks = ["numpy", "synthetic:spin"]
workloads = ["mlp:depth=2"]
batch = [1, 32]
[[exclude]]
framework = "numpy"
batch = 32
[environments.mine]
python = "3.12"
requirements = ["tiny==1.0"]
variables = { A = "b" }
[limits]
memory = "4GiB"
phases = { compile = "1m" }
[stop]
budget = 1.5e2
"""


def mutate_bytes(rng: random.Random, seed: bytes) -> bytes:
    """Return a document with a few of its bytes cut, doubled or replaced."""
    made = bytearray(seed)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        start = rng.randrange(len(made) + 1)
        end = min(len(made), start + rng.choice([0, 1, 1, 2, 5, 40, 400]))
        match rng.randrange(4):
            case 0:
                del made[start:end]
            case 1:
                made[start:end] = rng.choice(TOKENS)
            case 2:
                made[start:start] = made[start:end]
            case _:
                made[start:end] = rng.randbytes(end - start)
    return bytes(made)


def parse_events(content: bytes) -> list[Event]:
    """Parse the events in a worker's output."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(reader, False)
        os.write(writer, content[: 1 << 16])
        return list(EventReader(reader).read())
    finally:
        os.close(reader)
        os.close(writer)


def check_events(content: bytes, _folder: Path) -> None:
    """Parse a worker's output."""
    parse_events(content)


def check_record(content: bytes, folder: Path) -> None:
    """Parse a record from an untrusted run."""
    (folder / "record.json").write_bytes(content)
    store.job_name(atomic.read_model(folder / "record.json", JobRecord).spec)


def check_manifest(content: bytes, folder: Path) -> None:
    """Parse a manifest from an untrusted run."""
    (folder / "manifest.json").write_bytes(content)
    atomic.read_model(folder / "manifest.json", Manifest)


def check_sweep(content: bytes, folder: Path) -> None:
    """Parse an untrusted sweep file, up to the plan."""
    (folder / "sweep.toml").write_bytes(content)
    build_plan(sweep_file.validate_sweep(sweep_file.load_sweep_file(folder / "sweep.toml")), (0, 1))


SAID = (
    Hello(pid=1, python="3.11", interpreter="x"),
    Phase(name="build"),
    a_report(),
    Failure(outcome="raised", reason="no"),
)
PARSERS: Mapping[str, tuple[Callable[[bytes, Path], None], bytes]] = {
    "events": (check_events, b"".join(event.model_dump_json().encode() + b"\n" for event in SAID)),
    "record": (check_record, RECORD.model_dump_json().encode()),
    "manifest": (check_manifest, MANIFEST.model_dump_json().encode()),
    "sweep": (check_sweep, TOML),
}


def run_fuzzer(inputs: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Try this many inputs, and return the numbers accepted and refused by each parser, and other results."""
    rng, counted, broken = random.Random(seed), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(inputs):
            name, (parse, valid) = list(PARSERS.items())[number % len(PARSERS)]
            content, start = mutate_bytes(rng, valid), time.monotonic()
            try:
                parse(content, Path(folder))
                counted[f"{name} accepted"] += 1
            except (UsageError, Garbled):
                counted[f"{name} refused"] += 1
            except Exception as error:
                broken.append(f"{name}: {type(error).__name__}: {error}: {content!r}"[:2000])
            if time.monotonic() - start > SLOW_S:
                broken.append(f"{name}: slow: {content!r}"[:2000])
    return counted, broken


def main() -> None:
    """Run the long form of the fuzzer."""
    options = argparse.ArgumentParser()
    options.add_argument("--inputs", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    counted, broken = run_fuzzer(given.inputs, given.seed)
    print(json.dumps({"inputs": given.inputs, "counted": counted, "broken": broken[:20]}, indent=1))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
