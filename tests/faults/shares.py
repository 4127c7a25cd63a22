"""Random faults at random moments of sweeps on several nodes, with the promises that must hold after each.

`python -m tests.faults.shares --trials 20 --seed 1` runs them on a Slurm of two nodes on this machine, and
`--on ssh` on a loopback sshd. Each trial prints a line; the program exits with 1 if a promise was broken.
"""

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.faults.disturbed_sweep import (
    FILLER,
    PATIENCE_S,
    disturb_sweep,
    mount_small_disk,
    wait_for_moment,
    wait_until_none,
)
from tests.faults.share_faults import BLOCKS, WITH_SLURM, WITH_SSH, Act, Trial
from tests.faults.slurm_cluster import run_slurm
from tests.faults.ssh_server import run_ssh_server

# A controller that was killed learns some time later that a job has ended.
LEAVE_S = 60.0
MOST_RESUMES = 4
# The time in which all shares end, more or less.
LONGEST_S = 14.0


def run_trial(made: Trial, act: Act) -> Trial:
    """Run one trial, and record the promises that it broke."""
    made.write_sweep()
    (made.folder / "locks").mkdir()
    disk = mount_small_disk(made.folder / "runs") if made.fault == "disk full" else contextlib.nullcontext()
    with disk:
        try:
            before = run_disturbed(made, act)
        finally:
            (made.folder / "runs" / FILLER).unlink(missing_ok=True)
            if made.cluster is not None:
                made.cluster.repair()
        while not made.is_finished() and made.resumes < MOST_RESUMES and made.run_folder is not None:
            made.resumes += 1
            made.start_program("resume", "--no-report").wait(PATIENCE_S)
        for process in made.beside:
            process.wait(PATIENCE_S)
        made.broken += find_broken(made, before)
    return made


def run_disturbed(made: Trial, act: Act) -> dict[str, bytes]:
    """Run the sweep with its fault, and return the records that existed at that moment."""
    head = made.start_program("sweep", "sweep.toml", "--no-report")
    try:
        before = wait_for_moment(made, head)
        made.hit = disturb_sweep(made, head, act)
        time.sleep(2)
        if made.fault == "disk full":
            time.sleep(3)
            (made.folder / "runs" / FILLER).unlink(missing_ok=True)
        # A share that no node has begun waits for its scheduler and for a node, however long they are away.
        if made.fault in ("node drained", "slurmctld SIGKILL") and made.cluster is not None:
            time.sleep(3)
            made.cluster.repair()
        head.wait(PATIENCE_S)
    finally:
        if head.poll() is None:
            head.kill()
            head.wait()
    return before


def find_broken(made: Trial, before: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the broken promises, in words."""
    if made.run_folder is None:
        return  # the head was ended before it had begun anything
    if not made.is_finished():
        yield f"it could not be resumed to its end: {(made.folder / 'out').read_text()[-600:]}"
    yield from made.list_lost_records(before)
    records = made.read_records()
    jobs = Counter((record.spec.block, record.spec.cell.id) for record in records)
    whole = Counter(block for block, _ in jobs)
    if set(whole) != set(range(1, BLOCKS + 1)) or set(whole.values()) != {2}:
        yield f"blocks are not whole: {sorted(whole.items())}"
    yield from (f"counted twice: {job}" for job, count in jobs.items() if count > 1)
    owners = defaultdict(set)
    for record in records:
        owners[record.spec.block].add(record.placement and (record.placement.share, record.placement.attempt))
    yield from (f"block {block} is of {found}" for block, found in owners.items() if len(found) > 1 or None in found)
    yield from (f"outcome {record.outcome}: {record.reason}" for record in records if record.outcome not in FINE)
    left = wait_until_none(lambda: list_left(made), LEAVE_S)
    yield from (f"left running: {each}" for each in left)


# On a busy machine not every report is a good measurement.
FINE = ("measured", "nonlinear", "overhead-dominated")


def list_left(made: Trial) -> list[str]:
    """List what still runs of a trial: marked processes, workers of its shares, and jobs of Slurm."""
    found = [f"{each.pid}" for each in made.find_marked_processes()]
    found += [f"{pid} of the head" for pid in made.find_survivors()]
    return found + (made.cluster.list_jobs() if made.cluster else [])


def run_campaign(on: str, trials: int, seed: int, first: int = 1) -> list[Trial]:
    """Run trials from the `first` on, each with a random fault at a random moment.

    Every fault comes before any comes again.
    """
    rng, done = random.Random(seed), list[Trial]()
    faults = WITH_SLURM if on == "slurm" else WITH_SSH
    names = [name for _ in range(0, trials, len(faults)) for name in rng.sample(list(faults), len(faults))][:trials]
    moments_s = [rng.uniform(0.0, LONGEST_S) for _ in names]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        cluster = stack.enter_context(run_slurm(Path(folder))) if on == "slurm" else None
        server = stack.enter_context(run_ssh_server(Path(folder))) if on == "ssh" else None
        for number, (name, moment_s) in list(enumerate(zip(names, moments_s, strict=True), 1))[first - 1 :]:
            with tempfile.TemporaryDirectory() as place:
                made = Trial(Path(place), name, moment_s, cluster, rng=rng)
                if server is not None:
                    made.on, made.nodes = server.template, 'nodes = ["127.0.0.1", "localhost"]'
                began = time.monotonic()
                run_trial(made, faults[name])
            took_s = time.monotonic() - began
            said = f"{made.resumes} resumes, {took_s:.0f} s, {'hit' if made.hit else 'missed'}: {made.broken or 'kept'}"
            print(f"{number}: {name} after {made.moment_s:.1f} s: {said}", flush=True)
            done.append(made)
    return done


def main() -> None:
    """Run the long form of the campaign."""
    options = argparse.ArgumentParser()
    options.add_argument("--on", choices=("slurm", "ssh"), default="slurm")
    options.add_argument("--trials", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--first", type=int, default=1, help="the trial to begin with, after an end in the middle")
    given = options.parse_args()
    made = run_campaign(given.on, given.trials, given.seed, given.first)
    broken = [each for each in made if each.broken]
    summary = {"trials": len(made), "hit": sum(each.hit for each in made), "broken": len(broken)}
    print(json.dumps(summary | {"faults": Counter(each.fault for each in made)}))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
