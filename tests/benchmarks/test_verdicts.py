"""The verdicts of two runs, compared."""

from orchestrator.analysis.compare import Verdict
from tests.benchmarks.verdicts import Pair, compare_verdicts

FIRST, SECOND, THIRD = (Pair("rnn_cell", "torch:eager", mode) for mode in ("torch:trace", "torch:script", "jax:jit"))


def test_only_pairs_on_which_both_make_a_claim_are_compared() -> None:
    one = {FIRST: Verdict.SLOWER, SECOND: Verdict.UNRESOLVED, THIRD: Verdict.FASTER}
    other = {FIRST: Verdict.SLOWER, SECOND: Verdict.FASTER}
    assert compare_verdicts(one, other) == ["2 pairs in both; 1 and 2 have a claim, 1 in both; 1 of these are the same"]


def test_each_pair_with_two_claims_is_named() -> None:
    said = compare_verdicts({FIRST: Verdict.SLOWER}, {FIRST: Verdict.FASTER})
    assert said[0].endswith("1 in both; 0 of these are the same")
    assert said[1:] == ["rnn_cell torch:eager torch:trace: SLOWER and FASTER"]
