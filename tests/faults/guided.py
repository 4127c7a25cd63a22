"""A fuzzer guided by coverage, for each parser of outside data and the code that uses its results.

`python -m tests.faults.guided sweep -runs=250000` needs Atheris (`pip install -e '.[fuzz]'`) and takes the options of
libFuzzer. It stops at the first input that is neither accepted nor refused with a typed error, or takes longer than two
seconds. It writes that input to a file `crash-…` or `timeout-…`. Inputs that reach new code are the seeds of others.
Documents are validated outside Python, so each new reason to refuse one counts as new code too.
"""

import contextlib
import io
import json
import random
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import atheris
from pydantic import ValidationError

with atheris.instrument_imports(include=["orchestrator", "schemas", "tomllib"]):
    from rich.console import Console

    from orchestrator.cli.commands.resume import check_changes
    from orchestrator.errors import UsageError
    from orchestrator.execution import classify
    from orchestrator.execution.event_stream import Garbled
    from orchestrator.execution.supervisor import Ending
    from orchestrator.files import atomic
    from orchestrator.planning import plan
    from orchestrator.records import store
    from orchestrator.records.store import Store
    from orchestrator.report.job import terminal
    from schemas.record import JobRecord, Manifest
    from tests.faults import fuzz

Json = Any
Target = Callable[[bytes, Path], None]
LEAVES: tuple[Json, ...] = (
    None,
    True,
    0,
    -1,
    1,
    (1 << 63) - 1,
    1 << 63,
    10**400,
    0.5,
    -1e308,
    5e-324,
    "",
    "\x1b]0;x\x07",
    "\ud800",
    "9" * 400,
    [],
    {},
    [None],
    [[]],
    {"": 0},
)
TOML_TOKENS = ["[axes]", "[[exclude]]", "[limits]", "[stop]", "[timing]", "'''", "=", "{", "inf", "nan", "0x", "\\u"]


def check_events(content: bytes, folder: Path) -> None:
    """Parse a worker's output, and classify the ending."""
    said = fuzz.parse_events(content)
    classify.classify_ending(fuzz.SPEC, Ending("ended", 0, tuple(said), 1))


def check_record(content: bytes, folder: Path) -> None:
    """Parse a record, and show it."""
    (folder / "record.json").write_bytes(content)
    found = atomic.read_model(folder / "record.json", JobRecord)
    store.job_name(found.spec)
    terminal.show_job(Console(file=io.StringIO()), found, folder / "log")


def check_manifest(content: bytes, folder: Path) -> None:
    """Parse a manifest, and check whether its run may be resumed."""
    (folder / "manifest.json").write_bytes(content)
    found = atomic.read_model(folder / "manifest.json", Manifest)
    planned = plan.rebuild_plan(found.sweep, found.seed, (0, 1))
    check_changes(Store(folder), planned, found, found.environments, found.host, force=True)


TARGETS: Mapping[str, Target] = {
    "events": check_events,
    "record": check_record,
    "manifest": check_manifest,
    "sweep": fuzz.check_sweep,
}


REASONS: dict[tuple[str, ...], Callable[[], None]] = {}
MOST_REASONS = 5000


def mark_refusal(error: Exception) -> None:
    """Run a piece of code that only this kind of error at this place reaches, so that it counts as new coverage."""
    if isinstance(error.__cause__, ValidationError) and len(REASONS) < MOST_REASONS:
        first = error.__cause__.errors()[0]
        reason = (first["type"], *("*" if isinstance(step, int) else step[:20] for step in first["loc"]))
        if reason not in REASONS:
            REASONS[reason] = atheris.instrument_func(eval("lambda: None"))
        REASONS[reason]()


def mutate_value(rng: random.Random, value: Json) -> Json:
    """Return a document with a change in one place."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(list(value))
        less = {name: each for name, each in value.items() if name != key or rng.random() < 0.9}
        return less | ({key: mutate_value(rng, value[key])} if key in less else {})
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], mutate_value(rng, value[at]), *value[at + rng.randrange(2) :]]
    return rng.choice(LEAVES)


def mutate_input(content: bytes, largest: int, seed: int) -> bytes:
    """Return the next input: a document changed in one place, or bytes changed by libFuzzer."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        with contextlib.suppress(ValueError, RecursionError):
            lines = content.split(b"\n")
            at = rng.randrange(len(lines))
            lines[at] = json.dumps(mutate_value(rng, json.loads(lines[at]))).encode()
            return b"\n".join(lines)[:largest]
    return bytes(atheris.Mutate(content, largest))


def main() -> None:
    """Fuzz one parser, without returning."""
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "corpus").mkdir()
        (folder / "corpus/valid").write_bytes(fuzz.PARSERS[name][1])
        tokens = [*TOML_TOKENS, *(token.decode("latin-1") for token in fuzz.TOKENS if len(token) < 60)]
        escaped = ("".join(f"\\x{byte:02x}" for byte in token.encode("latin-1")) for token in tokens)
        (folder / "tokens").write_text("".join(f'"{token}"\n' for token in escaped))

        def try_input(content: bytes) -> None:
            try:
                TARGETS[name](content, folder)
            except (UsageError, Garbled) as error:
                mark_refusal(error)

        usual = ["-timeout=2", "-max_len=16384", "-len_control=0", f"-dict={folder}/tokens", "-print_final_stats=1"]
        atheris.Setup(
            [sys.argv[0], *usual, *options, str(folder / "corpus")],
            try_input,
            **({} if name == "sweep" else {"custom_mutator": mutate_input}),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
