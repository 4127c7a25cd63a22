"""The sentences of a comparison over nodes: the answers, what they rest on, and what the nodes cannot show."""

import math
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.nodes.comparison import NodesComparison, NodesResult
from orchestrator.analysis.nodes.next_sweep import NextSweep, measure_costs, measure_size, plan_next_sweep
from orchestrator.analysis.nodes.turnarounds import Turnaround
from orchestrator.analysis.quality.flags import CANARY_LIMIT
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.analysis.statistics.variance_components import FEWEST_BLOCKS, FEWEST_NODES
from orchestrator.format import format_ratio, format_ratio_range, format_seconds, join_names, to_printable


def describe_nodes(result: NodesResult) -> list[str]:
    """Return the sentences on the nodes of one type: answers first, then reservations, then the A/A check."""
    sentences = [
        *(sentence for found in result.comparisons for sentence in describe_pair(found, result.nodes.machine_type)),
        *describe_odd_nodes(result),
        *describe_small_samples(result),
        *describe_clone(result),
    ]
    return [to_printable(sentence) for sentence in sentences]


def describe_pair(found: NodesComparison, machine_type: str) -> Iterator[str]:
    """Yield the answer on these nodes, the answer over their type, and the nodes that contradict the first."""
    pair = f"{found.on_nodes.cell} over {found.on_nodes.baseline}"
    yield f"{pair}, on {name_nodes(found)}: {describe_ratio(found.on_nodes)}."
    yield from describe_contradictions(found, pair)
    if found.on_type is not None:
        yield (
            f"{pair}, on nodes of type {machine_type}: {describe_ratio(found.on_type)}"
            f"{describe_spread(found.spread)}{describe_following(found.following)}."
        )


def describe_contradictions(found: NodesComparison, pair: str) -> Iterator[str]:
    """Yield the nodes that took a claim away, or those on which the order of a pair is not the same."""
    if found.dissenting:
        yield (
            f"{pair}: no claim on {name_nodes(found)}, because {join_names(found.dissenting, 'and')} "
            f"{'contradicts' if len(found.dissenting) == 1 else 'contradict'} the others."
        )
        return
    slower = [row.node for row in found.nodes if row.ratio.low > 1]
    faster = [row.node for row in found.nodes if row.ratio.high < 1]
    if slower and faster:
        yield (
            f"{pair}: the nodes contradict each other. {found.on_nodes.cell} takes more time on "
            f"{join_names(slower, 'and')} and less on {join_names(faster, 'and')}."
        )


def name_nodes(found: NodesComparison) -> str:
    """Return the nodes that have a common block of both cells, by their number or by name: `these 4 nodes`, `n1`."""
    names = [row.node for row in found.nodes if row.blocks]
    return names[0] if len(names) == 1 else f"these {len(names)} nodes"


def describe_ratio(found: Comparison) -> str:
    """Return the verdict of a comparison with its ratio, interval and number of blocks."""
    decisive = found.undisturbed or found.ratio
    ends = format_ratio_range(decisive)
    blocks = f"{found.blocks} block{'' if found.blocks == 1 else 's'}"
    return f"{found.verdict}, {format_ratio(decisive.estimate)} ({f'{ends}, ' if ends else ''}{blocks})"


def describe_spread(spread: Interval | None) -> str:
    """Return a clause on the standard deviation of the ratio between nodes; empty if it is not known."""
    if spread is None:
        return ""
    return f"; from node to node it differs by {format_spread(spread)} (standard deviation)"


def format_spread(spread: Interval) -> str:
    """Return a spread of log ratios in per cent with its interval: `1.2 % (0.5–3.4 %)`."""
    estimate, low, high = (format_percent(end) for end in (spread.estimate, spread.low, spread.high))
    return f"{estimate} % ({low}–{high} %)"


def format_percent(log: float) -> str:
    """Return a standard deviation of logs in per cent, with one digit after the point below ten per cent."""
    share = 100 * math.expm1(log)
    return f"{share:.1f}" if share < 9.95 else f"{share:.0f}"


def describe_following(following: Interval | None) -> str:
    """Return a clause on the ratio to expect on the next node; empty if there is no interval."""
    ends = format_ratio_range(following) if following is not None else ""
    return f"; on the next node, expect {ends}" if ends else ""


def describe_odd_nodes(result: NodesResult) -> Iterator[str]:
    """Yield the nodes whose canary is off, and the answers that differ without them."""
    if not result.odd:
        return
    listed = join_names([f"{each.name} ({format_ratio(each.ratio)} times the median)" for each in result.odd], "and")
    limit = f"more than {100 * (CANARY_LIMIT - 1):.0f} % off the median of type {result.nodes.machine_type}"
    yield f"The canary, a fixed small product, is {limit} on {listed}."
    if result.without is None:
        yield "No node would be left without these, so there is no answer without them."
        return
    names = join_names([each.name for each in result.odd], "and")
    changes = list(describe_changes(result, result.without))
    yield from (f"Without {names}, {change}." for change in changes)
    if not changes:
        yield f"Without {names}, all verdicts are the same."


def describe_changes(every: NodesResult, usual: NodesResult) -> Iterator[str]:
    """Yield each verdict that differs if some nodes are left out."""
    for before, after in zip(every.comparisons, usual.comparisons, strict=True):
        pair = f"{after.on_nodes.cell} over {after.on_nodes.baseline}"
        if before.on_nodes.verdict is not after.on_nodes.verdict:
            yield f"{pair} on {name_nodes(after)} is {describe_ratio(after.on_nodes)}"
        if before.on_type is not None and after.on_type is None:
            yield f"{pair} has no answer over the type, which takes {FEWEST_NODES} nodes"
        elif before.on_type and after.on_type and before.on_type.verdict is not after.on_type.verdict:
            yield f"{pair} on nodes of the type is {describe_ratio(after.on_type)}"


def describe_small_samples(result: NodesResult) -> Iterator[str]:
    """Yield why there is no answer over the type, and which nodes have too few blocks to be in its sample."""
    short = dict.fromkeys(
        f"{row.node} ({row.blocks})" for found in result.comparisons for row in found.nodes if not row.is_sampled
    )
    if short and len(result.nodes.names) > 1:
        yield (
            f"Too few blocks for the sample of nodes: {', '.join(short)}. A node needs {FEWEST_BLOCKS}; its blocks "
            "count on these nodes."
        )
    if any(found.on_type is None for found in result.comparisons):
        yield (
            f"Other nodes of type {result.nodes.machine_type} may differ: a statement about them takes "
            f"{FEWEST_NODES} nodes with {FEWEST_BLOCKS} blocks each."
        )


def describe_clone(result: NodesResult) -> Iterator[str]:
    """Yield the ratio of the A/A clone to its original, which should be 1 on each node."""
    if result.clone is None:
        return
    # The clone's ratio on a node is no claim of a family, so a node may be off by chance.
    off = [row.node for row in result.clone.nodes if row.ratio.low > 1 or row.ratio.high < 1]
    where = f" Its interval excludes 1 on {join_names(off, 'and')}." if off else ""
    found = result.clone.widest
    place = "nodes of the type" if result.clone.on_type else name_nodes(result.clone)
    told = (
        "is not told from its original"
        if found.verdict in (Verdict.EQUIVALENT, Verdict.UNRESOLVED)
        else "is told from its original, though both are the same"
    )
    yield f"A/A check: {found.cell} {told}, on {place}: {describe_ratio(found)}.{where}"


def describe_turnarounds(turnarounds: Sequence[Turnaround]) -> list[str]:
    """Return a sentence for each pair whose order turns round between types of machine."""
    return [
        to_printable(
            f"The order turns round: {each.cell} over {each.baseline} is FASTER on {list_types(each.faster)} and "
            f"SLOWER on {list_types(each.slower)}."
        )
        for each in turnarounds
    ]


def list_types(by_type: Mapping[str, Comparison]) -> str:
    """Return types of machine, each with its ratio and interval."""
    ratios = {kind: found.undisturbed or found.ratio for kind, found in by_type.items()}
    return join_names(
        [
            f"type {kind} ({format_ratio(ratio.estimate)}, {format_ratio_range(ratio)})"
            for kind, ratio in ratios.items()
        ],
        "and",
    )


def describe_next_sweep(run: Run) -> list[str]:
    """Return the sweep that the computation with the largest need asks for, if a ratio over the type is not precise."""
    compared = [group for group in run.groups if group.over_nodes is not None]
    costs = measure_costs(run.processes, run.manifest) if compared else None
    if costs is None:
        return []
    precision = run.manifest.sweep.stop.precision
    planned = {
        group.title: found
        for group in compared
        if group.over_nodes and (found := plan_next_sweep(group.over_nodes, costs, precision, group.alpha))
    }
    if not planned:
        return []
    title = max(planned, key=lambda each: measure_size(planned[each]))
    of_group = f"{title}: " if len(run.groups) > 1 else ""
    return [to_printable(of_group + describe_plan(planned[title], precision))]


def describe_plan(found: NextSweep, precision: float) -> str:
    """Return how many nodes, with how many blocks each, give a ratio this precise over their type."""
    here, known = found.pair.on_nodes, f"as far as {name_nodes(found.pair)} can tell"
    asked = f"the ratio of {here.cell} over {here.baseline} on nodes of the type within ±{100 * precision:g} %"
    if found.plan is None:
        return f"No number of nodes gives {asked}, {known}: nodes differ too much."
    return (
        f"{found.plan.nodes} nodes with {found.plan.blocks} blocks each would give {asked}, {known}, at the least "
        f"cost: {format_seconds(found.plan.cost)} on all nodes together."
    )
