"""The rows about one pair of cells: each node, and below them the answers over nodes, as texts and as intervals."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.nodes.comparison import NodesComparison, NodesResult
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import format_ratio_range, to_printable
from orchestrator.report.nodes.sentences import format_spread
from orchestrator.report.tables import format_ratio_with_interval

NO_RATIO = "–"
HEADINGS = ("node", "blocks", "ratio", "verdict")


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One row: a node, or an answer over nodes. `ratio` is None if it has none, `canary` unless the node is odd."""

    name: str
    blocks: str
    text: str
    verdict: str
    ratio: Interval | None
    canary: float | None = None

    @property
    def note(self) -> str:
        """The deviation of a canary that is off: `(canary +20 %)`; empty for every other row."""
        return "" if self.canary is None else f"(canary {100 * (self.canary - 1):+.0f} %)"


def list_pairs(result: NodesResult) -> list[NodesComparison]:
    """List the compared pairs, and the A/A clone with its original."""
    return [*result.comparisons, *([result.clone] if result.clone else [])]


def name_pair(result: NodesResult, found: NodesComparison) -> str:
    """Return the title of the rows of one pair."""
    pair = f"{found.on_nodes.cell} over {found.on_nodes.baseline}"
    return to_printable(f"{pair}, by node of type {result.nodes.machine_type}")


def list_rows(result: NodesResult, found: NodesComparison) -> list[NodeRow]:
    """List the rows of a pair: each node, and then the answers."""
    return [*list_nodes(result, found), *list_answers(found)]


def list_nodes(result: NodesResult, found: NodesComparison) -> Iterator[NodeRow]:
    """Yield a row for each node, from its blocks alone."""
    odd = {each.name: each.ratio for each in result.odd}
    for row in found.nodes:
        ratio = row.ratio if row.blocks else None
        text = format_ratio_with_interval(row.ratio) if row.blocks else NO_RATIO
        yield NodeRow(to_printable(row.node), f"{row.blocks}", text, "", ratio, odd.get(row.node))


def list_answers(found: NodesComparison) -> Iterator[NodeRow]:
    """Yield the rows below those of the nodes: these nodes, nodes of the type, their spread, and the next node."""
    yield make_answer("on these nodes", found.on_nodes)
    if found.on_type is not None:
        yield make_answer("on nodes of this type", found.on_type)
    if found.spread is not None:
        yield NodeRow("spread between nodes", "", format_spread(found.spread), "", None)
    if found.following is not None:
        ends = format_ratio_range(found.following, "–") or NO_RATIO
        yield NodeRow("next node", "", ends, "", found.following)


def make_answer(name: str, found: Comparison) -> NodeRow:
    """Return the row of one answer, with the interval that decides."""
    decisive = found.undisturbed or found.ratio
    return NodeRow(name, f"{found.blocks}", format_ratio_with_interval(decisive), str(found.verdict), decisive)
