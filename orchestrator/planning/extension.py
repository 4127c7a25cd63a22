"""The extension of a run: more blocks, a larger budget or a narrower precision than it was begun with."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.looks import LOOKS
from orchestrator.analysis.stopping import has_reached_goal
from orchestrator.errors import UsageError
from orchestrator.files.toml import validate_model
from schemas.record import Extension, Manifest
from schemas.sweep import Stop

BLOCKS = re.compile(r"(\+?)([0-9]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRequest:
    """The options of `resume` that extend a run, as they were typed. A sign `+` means so much more."""

    blocks: str | None = None
    budget: str | None = None
    precision: float | None = None

    def __bool__(self) -> bool:
        """Return whether anything was asked for."""
        return (self.blocks, self.budget, self.precision) != (None, None, None)


NO_EXTENSION = ExtensionRequest()


def extend_manifest(run: Run, asked: ExtensionRequest, spent_s: float, now: datetime) -> Manifest:
    """Return the manifest of a run whose end is moved as asked. `spent_s` is what its jobs have taken so far.

    Raises:
        UsageError: an option is no extension, or the run could not use it.
    """
    manifest, before = run.manifest, run.manifest.sweep.stop
    check_options(manifest, asked)
    changes = dict[str, Any]()
    if asked.blocks is not None:
        changes["blocks"] = count_wanted_blocks(run, asked.blocks)
    elif before.blocks <= run.blocks:
        changes["blocks"] = LOOKS[-1]
    if asked.budget is not None:
        changes["budget"] = add_budget(asked.budget, spent_s)
    if asked.precision is not None:
        changes |= {"precision": asked.precision, "until": "precision"}
    stop = validate_model(Stop, before.model_dump() | changes)
    # Blocks that are asked for by their number run whatever the budget and the precision.
    least = stop.blocks if asked.budget is None and asked.precision is None else 0
    extension = Extension(
        when=now.isoformat(timespec="seconds"),
        stop=before,
        # Blocks in which no pair is complete have shown no verdict.
        blocks=max((found.blocks for found in run.comparisons), default=0),
        least_blocks=least,
    )
    extended = manifest.model_copy(
        update={
            "sweep": manifest.sweep.model_copy(update={"stop": stop}),
            "extensions": (*manifest.extensions, extension),
            "finished": False,
            "stopped": "",
        }
    )
    if not least:
        check_use(run, extended, spent_s)
    return extended


def check_options(manifest: Manifest, asked: ExtensionRequest) -> None:
    """Check that a run on several machines, whose results do not end it, is extended by blocks alone.

    Raises:
        UsageError: something else was asked for.
    """
    if manifest.sweep.is_shared_out and (asked.budget, asked.precision) != (None, None):
        raise UsageError("a run on several machines is extended by --blocks alone, such as --blocks +8")


def count_wanted_blocks(run: Run, text: str) -> int:
    """Return the number of blocks that a run is extended to."""
    found = BLOCKS.fullmatch(text)
    if found is None:
        raise UsageError(f"--blocks must be a number such as 12, or +2 for two more, not {text[:40]!r}")
    wanted = int(found[2]) + (run.blocks if found[1] else 0)
    # The looks are of runs that end by their results. Those on several machines end after a number of blocks.
    if wanted > LOOKS[-1] and not run.manifest.sweep.is_shared_out:
        raise UsageError(
            f"{run.name} has {run.blocks} blocks, and {wanted} would be more than {LOOKS[-1]}, the most for which its "
            "intervals are valid; begin a new run"
        )
    if wanted <= run.blocks:
        raise UsageError(f"{run.name} has {run.blocks} blocks already; ask for more, such as --blocks +2")
    return wanted


def add_budget(text: str, spent_s: float) -> float:
    """Return the new budget in seconds: the one that was typed, or as much beyond what was spent."""
    more = text.startswith("+")
    typed = validate_model(Stop, {"budget": text.removeprefix("+")}).budget
    return typed + spent_s if more else typed


def check_use(run: Run, extended: Manifest, spent_s: float) -> None:
    """Refuse an extension with which nothing more would run."""
    sweep, looks = extended.sweep, Run(name=run.name, manifest=extended, records=()).looks
    if run.blocks >= LOOKS[-1]:
        raise UsageError(
            f"{run.name} has {run.blocks} blocks, the most for which its intervals are valid; begin a new run"
        )
    if sweep.stop.budget <= spent_s:
        raise UsageError(
            f"{run.name} has taken {spent_s:.0f} s of its budget of {sweep.stop.budget:g} s; add --budget +5m"
        )
    if run.blocks and has_reached_goal(sweep, extended.cells, run.last_attempts, run.blocks, looks):
        raise UsageError(
            f"{run.name} has reached its goal after {run.blocks} blocks; ask for more, such as --blocks +4 or "
            f"--precision {sweep.stop.precision / 2:g}"
        )
