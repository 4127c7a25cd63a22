"""The price of the verdicts that a run lacks: in sentences, with the command that pays it, and as data."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from orchestrator.analysis.price import Price, list_prices, measure_block_s
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.looks import LOOKS
from orchestrator.format import format_duration, format_seconds, to_printable

RESUME_COMMAND: Final = "python -m orchestrator resume"
# With more pairs of one price than this, a sentence names one and states the number of the others.
MAX_NAMED_PAIRS: Final = 3
# With more sentences than this about prices, a brief answer has one about all.
MAX_SENTENCES: Final = 3


def describe_prices(run: Run, *, brief: bool = False) -> list[str]:
    """Return the prices of all groups of a run.

    `brief`: without those that no number of blocks pays, and in one sentence if they are many.
    """
    said = [sentence for group in run.groups for sentence in describe_group_prices(group, run, brief=brief)]
    if brief and len(said) > MAX_SENTENCES:
        return [summarise_prices(run)]
    return list(dict.fromkeys(said))


def summarise_prices(run: Run) -> str:
    """Return the price of the verdicts that a run with many lacks, as one sentence."""
    prices = [price for group in run.groups for price in list_run_prices(group, run) if not price.disturbed]
    payable = [price for price in prices if format_command(price, run)]
    said = f"No verdict yet on {len(prices)} pairs"
    if not payable:
        return f"{said}: they likely take {describe_most_blocks(run)}."
    most = max(payable, key=blocks_to_pay)
    share = "them" if len(payable) == len(prices) else f"{len(payable)} of them"
    blocks = f"{count_blocks(blocks_to_pay(most))} may decide {share}, about {describe_time(most, run)}"
    return to_printable(f"{said}: {blocks}: {format_command(most, run)}.")


def describe_group_prices(group: Group, run: Run, *, brief: bool = False) -> list[str]:
    """Return the price of each verdict that a group lacks: once for all pairs with the same one."""
    alike = dict[str, list[Price]]()
    for price in list_run_prices(group, run):
        if not (brief and price.disturbed):
            alike.setdefault(describe_price(price, run), []).append(price)
    return [to_printable(f"{name_pairs(prices, group)}: {end}.") for end, prices in alike.items()]


def list_run_prices(group: Group, run: Run) -> Iterator[Price]:
    """Yield the prices of the verdicts that a group of a run lacks."""
    return list_prices(group, run.looks, run.manifest.sweep.margin, run.most_blocks)


def name_pairs(prices: Sequence[Price], group: Group) -> str:
    """Return the two modes of each pair with their times, or one pair and the number of the others."""
    named = [describe_pair(price, group) for price in prices[: 1 if len(prices) > MAX_NAMED_PAIRS else None]]
    rest = f" and {len(prices) - 1} other pairs" if len(prices) > MAX_NAMED_PAIRS else ""
    return f"No verdict yet on {'; '.join(named)}{rest}"


def describe_pair(price: Price, group: Group) -> str:
    """Return the two modes of a pair and their times per call."""
    found = price.found
    times = [format_duration(group.result(label).floor_ns.estimate) for label in (found.cell, found.baseline)]
    return f"{found.cell} against {found.baseline} ({times[0]} against {times[1]})"


def describe_price(price: Price, run: Run) -> str:
    """Return the price of one verdict as the end of a sentence, with the command that pays it."""
    if price.disturbed:
        return "a disturbance may explain the difference; more blocks help only while the machine is quieter"
    if (command := format_command(price, run)) is None or price.likely is None:
        bound = f"; the difference, if any, is below {100 * price.bound:.2g} %" if math.isfinite(price.bound) else ""
        return f"it likely takes {describe_most_blocks(run)}{bound}"
    return f"{describe_blocks(price, run)}, about {describe_time(price, run)}: {command}"


def describe_most_blocks(run: Run) -> str:
    """Return the most blocks that a run may have, as what a verdict likely exceeds."""
    if run.node_count > 1:
        return f"more than {run.most_blocks} blocks in all, which are {LOOKS[-1]} on each of its nodes"
    return f"more than {LOOKS[-1]} blocks in all, the most for which intervals are valid"


def describe_blocks(price: Price, run: Run) -> str:
    """Return the number of blocks that a verdict takes, as certain as it is known."""
    assert price.soonest is not None
    assert price.likely is not None
    if price.proves:
        return f"{count_blocks(price.likely)} {'proves' if price.likely == 1 else 'prove'} it"
    if not price.is_forecast:
        return f"at least {count_blocks(price.likely)}"
    if price.soonest == price.latest:
        return f"about {count_blocks(price.likely)}"
    latest = price.latest or f"more than {run.most_blocks - price.found.blocks}"
    return f"about {count_blocks(price.likely)} ({price.soonest} to {latest})"


def count_blocks(blocks: int) -> str:
    """Return a number of further blocks."""
    return "1 more block" if blocks == 1 else f"{blocks} more blocks"


def blocks_to_pay(price: Price) -> int:
    """Return the number of blocks that the command asks for."""
    return price.likely or 0


def describe_time(price: Price, run: Run) -> str:
    """Return the time that the blocks of the command take."""
    return format_seconds(estimate_duration_s(price, run))


def estimate_duration_s(price: Price, run: Run) -> float:
    """Estimate the time in seconds that the blocks of the command take, on all of its nodes at once."""
    return math.ceil(blocks_to_pay(price) / run.node_count) * measure_block_s(run.processes)


def format_command(price: Price, run: Run) -> str | None:
    """Return the command that runs these blocks; None if no run may have as many."""
    more = blocks_to_pay(price)
    return f"{RESUME_COMMAND} {run.name} --blocks +{more}" if more and run.blocks + more <= run.most_blocks else None


def prices_to_list(run: Run) -> list[dict[str, Any]]:
    """Return the prices of a run as data. A number of blocks beyond the last look is null."""
    return [price for group in run.groups for price in iterate_prices(group, run)]


def iterate_prices(group: Group, run: Run) -> Iterator[dict[str, Any]]:
    """Yield the prices of one group as data."""
    for price in list_run_prices(group, run):
        more = blocks_to_pay(price)
        yield {
            "group": group.title,
            "baseline": price.found.baseline,
            "cell": price.found.cell,
            "more_blocks": {"soonest": price.soonest, "likely": price.likely, "latest": price.latest},
            "proves": price.proves,
            "disturbed": price.disturbed,
            "seconds": estimate_duration_s(price, run) if more else None,
            "command": format_command(price, run),
        }
