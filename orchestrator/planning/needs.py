"""The blocks without which a sweep can make no claim, against those that its budget allows."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.pairs import choose_pairs
from orchestrator.analysis.statistics.looks import ALPHA, blocks_needed
from orchestrator.format import format_seconds
from orchestrator.planning.plan import Plan
from orchestrator.records.labels import format_title
from schemas.job import Cell
from schemas.sweep import ComparedPairs


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictNeeds:
    """The needs of a verdict in a sweep: those of its largest group of compared cells.

    `families` are the numbers of pairs that are tested together: of the first cell of that group alone, of the first
    two, and so on. `asked` is the number without `--pairs all`, and `ranked` the number on which ranks rest. `cells`
    are those of the whole sweep with the A/A clone. `allowed` is the number of blocks that fit the budget, at most the
    allowed number.
    """

    families: tuple[int, ...]
    asked: int
    ranked: int
    cells: int
    alpha: float
    block_s: float
    allowed: int
    budget_s: float

    @property
    def modes(self) -> int:
        """The number of compared cells."""
        return len(self.families)

    @property
    def pairs(self) -> int:
        """The number of pairs that are tested together."""
        return self.families[-1]

    @property
    def blocks(self) -> int:
        """The blocks without which no pair can have a verdict, whatever the differences."""
        return blocks_needed(self.pairs, self.alpha)

    @property
    def blocks_for_ranks(self) -> int:
        """The blocks without which ranks rest on the compared pairs alone."""
        return blocks_needed(self.ranked, ALPHA)

    @property
    def can_claim(self) -> bool:
        """True if the sweep may run as many blocks."""
        return self.allowed >= self.blocks

    @property
    def fitting_modes(self) -> int:
        """The largest number of compared cells with which the budget allows a verdict; 0 if not even two do."""
        job_s, others = self.block_s / self.cells, self.cells - self.modes
        for modes in range(self.modes, 1, -1):
            if blocks_needed(self.families[modes - 1], self.alpha) * job_s * (modes + others) <= self.budget_s:
                return modes
        return 0


def find_needs(plan: Plan, known: Mapping[str, float]) -> VerdictNeeds | None:
    """Return the needs of a verdict; None if no two cells are compared."""
    groups = defaultdict[str, list[Cell]](list)
    for cell in plan.runnable:
        if not cell.replica:
            groups[format_title(cell)].append(cell)
    largest = max(groups.values(), key=len)
    if len(largest) < 2:
        return None
    families = tuple(count_pairs(plan, largest[: modes + 1], plan.spec.pairs) for modes in range(len(largest)))
    stop, block_s = plan.spec.stop, plan.estimate_block_s(known)
    return VerdictNeeds(
        families=families,
        asked=count_pairs(plan, largest, "asked"),
        ranked=math.comb(len(largest), 2),
        cells=len(plan.runnable),
        alpha=plan.looks.choose_alpha(families[-1]),
        block_s=block_s,
        allowed=max(plan.least_blocks, min(stop.blocks, int(stop.budget / block_s))),
        budget_s=stop.budget,
    )


def count_pairs(plan: Plan, cells: Sequence[Cell], compared: ComparedPairs) -> int:
    """Return the number of pairs of these cells that are tested as one family."""
    labelled = {plan.labels[cell.id]: cell for cell in cells}
    baseline = plan.spec.baseline if plan.spec.baseline in labelled else next(iter(labelled))
    return len(choose_pairs(labelled, baseline, compared))


def describe_needs(plan: Plan, known: Mapping[str, float]) -> Iterator[str]:
    """Yield what a verdict of this sweep needs, and without enough of it, what would fit."""
    needs = find_needs(plan, known)
    if needs is None:
        return
    pairs = "1 pair needs" if needs.pairs == 1 else f"{needs.pairs} pairs need"
    said = f"{pairs} {needs.blocks} blocks for a verdict, about {format_seconds(needs.blocks * needs.block_s)}"
    if needs.can_claim:
        ranks = f"; ranks need {needs.blocks_for_ranks}" if needs.blocks_for_ranks > needs.blocks else ""
        yield f"{said}{ranks}; this sweep allows {needs.allowed}."
        return
    yield f"{said}; this sweep allows {needs.allowed}: no claim is possible."
    yield f"A verdict would fit with {' or '.join(list_remedies(needs, plan))}."


def list_remedies(needs: VerdictNeeds, plan: Plan) -> Iterator[str]:
    """Yield the changes of a request with which a verdict would fit."""
    if plan.spec.stop.blocks < needs.blocks:
        yield f"--blocks {needs.blocks}"
    if (fewer := blocks_needed(needs.asked, needs.alpha)) < needs.blocks and needs.allowed >= fewer:
        yield "--pairs asked"
    if (least_s := needs.blocks * needs.block_s) > needs.budget_s:
        # A quarter more, because estimates are rough.
        yield f"--budget {math.ceil(1.25 * least_s / 60)}m"
        if needs.fitting_modes >= 2:
            yield f"at most {needs.fitting_modes} modes in place of {needs.modes}"
