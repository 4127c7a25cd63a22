"""No sentence is said twice."""

from orchestrator.analysis.run import Run
from orchestrator.report.repetition import is_said, split_shared_sentences
from orchestrator.report.sentences import describe_group


def test_what_all_groups_share_is_said_once_and_nothing_is_lost(known_run: Run) -> None:
    first = known_run.groups[0]
    shared, own = split_shared_sentences([first, first])
    assert shared == describe_group(first)
    assert own == [[], []]


def test_what_some_groups_share_says_how_many(known_run: Run) -> None:
    one, other = known_run.groups
    shared, own = split_shared_sentences([one, one, other])
    assert len(shared) > 1
    alone = [sentence for sentence in describe_group(other) if sentence not in describe_group(one)]
    assert alone
    assert own == [[], [], alone]
    both = [sentence for sentence in describe_group(one) if sentence not in describe_group(other)]
    assert [sentence for sentence in shared if sentence.startswith("In 2 of 3")] == [
        f"In 2 of 3 computations: {sentence}" for sentence in both
    ]


def test_a_group_alone_keeps_its_sentences_in_their_order(known_run: Run) -> None:
    assert split_shared_sentences(known_run.groups[:1]) == ([], [describe_group(known_run.groups[0])])


def test_what_was_said_before_is_left_out_wherever_it_stood(known_run: Run) -> None:
    group = known_run.groups[0]
    first, *others = describe_group(group)
    assert split_shared_sentences([group], [f"mlp forward: {first} And more."]) == ([], [others])
    assert is_said("b.", ["a. b. c."])
    assert not is_said("d.", ["a. b. c."])
