"""Random kills during the creation of environments: an incomplete one must never be marked ready or be used.

`python -m tests.faults.provisioning --kills 20` prints a line for each kill and a JSON summary, and exits with 1 if a
promise was broken. After a kill the next attempt begins at once, while leftover processes may still be dying.
"""

import argparse
import base64
import csv
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.environments.cache import EnvironmentCache, read_marker, remove_environment

CREATE = [sys.executable, "-m", "orchestrator", "env", "create", "victim", "--file", "victim.toml"]
VICTIMS = ("orchestrator", "installer", "everything")
PATIENCE_S = 600


@dataclass(frozen=True)
class Kill:
    """One kill, the state just after it, and the broken promises."""

    victim: str
    moment_s: float
    found: str
    broken: tuple[str, ...]


def run_campaign(
    folder: Path, requirement: str, kills: int, longest_s: float, seed: int, variables: Mapping[str, str] = os.environ
) -> Iterator[Kill]:
    """Kill this many attempts, then let one finish; yield each kill and the final state."""
    (folder / "victim.toml").write_text(f"[environments.victim]\nrequirements = [{requirement!r}]\n")
    home, rng = EnvironmentCache(folder / "home"), random.Random(seed)
    variables = dict(variables) | {"PLUMBLINE_HOME": str(home.root), "PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(kills):
        victim, moment_s = rng.choice(VICTIMS), rng.uniform(0.3, longest_s)
        with subprocess.Popen(CREATE, cwd=folder, env=variables, stdout=subprocess.DEVNULL) as program:
            with suppress(subprocess.TimeoutExpired):
                program.wait(moment_s)
            kill_victim(program.pid, victim)
        yield Kill(victim, moment_s, describe_state(home), tuple(find_broken(home)))
        for made in home.list_folders():
            if read_marker(made) is not None:
                remove_environment(made)  # so that the next kill hits an attempt at work
    subprocess.run(CREATE, cwd=folder, env=variables, stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE_S)
    last = tuple(find_broken(home)) or (() if describe_state(home) == "ready" else ("in the end it is not ready",))
    yield Kill("nothing", 0.0, describe_state(home), last)


def kill_victim(pid: int, victim: str) -> None:
    """Kill the program, its installer, or the program with all its descendants."""
    with suppress(psutil.NoSuchProcess):
        program = psutil.Process(pid)
        children = program.children(recursive=True)
        hit = {"orchestrator": [program], "installer": children[-1:], "everything": [program, *children]}[victim]
        for process in hit:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def describe_state(home: EnvironmentCache) -> str:
    """Return the state of the environment: nothing, unfinished or ready."""
    states = ["ready" if read_marker(made) is not None else "unfinished" for made in home.list_folders()]
    return states[0] if states else "nothing"


def find_broken(home: EnvironmentCache) -> Iterator[str]:
    """Yield the faults of environments that are marked ready."""
    for made in home.list_folders():
        ready = read_marker(made)
        if ready is None:
            continue
        (packages,) = made.glob("lib/python3*/site-packages")
        found = {path.name.partition("-")[0].lower().replace("_", "-") for path in packages.glob("*.dist-info")}
        due = {line.partition("==")[0] for line in ready.resolved}
        yield from (f"{name} is missing" for name in sorted(due - found))
        yield from find_changed_files(made, packages)


def find_changed_files(made: Path, packages: Path) -> Iterator[str]:
    """Yield the files that are missing or differ from their package's RECORD."""
    for record in packages.glob("*.dist-info/RECORD"):
        for name, digest, _ in csv.reader(record.read_text().splitlines()):
            algorithm, _, expected = digest.partition("=")
            path = packages / name
            if digest and (not path.is_file() or hash_file(path, algorithm) != expected):
                yield f"{made.name}: {name} is not what {record.parent.name} lists"


def hash_file(path: Path, algorithm: str) -> str:
    """Return a file's digest in the form of a RECORD."""
    digest = hashlib.new(algorithm, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def main() -> None:
    """Run the long form of the campaign."""
    options = argparse.ArgumentParser()
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--requirement", default="jax==0.10.2")
    options.add_argument("--longest", type=float, default=30.0, help="seconds until the latest kill")
    given = options.parse_args()
    made: list[Kill] = []
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for each in run_campaign(Path(folder), given.requirement, given.kills, given.longest, given.seed):
            print(f"{each.victim} after {each.moment_s:.2f} s: {each.found}; {each.broken or 'kept'}", flush=True)
            made.append(each)
    said = {
        "kills": given.kills,
        "took_s": round(time.monotonic() - start, 1),
        "by victim": Counter(each.victim for each in made),
        "found after it": Counter(each.found for each in made[:-1]),
        "promises broken": [what for each in made for what in each.broken],
    }
    print(json.dumps(said, indent=1))
    sys.exit(bool(said["promises broken"]))


if __name__ == "__main__":
    main()
