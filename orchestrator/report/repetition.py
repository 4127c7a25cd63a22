"""Each sentence once: what several groups share is said for all of them, and nothing that was already said."""

from collections import Counter
from collections.abc import Iterable, Sequence

from orchestrator.analysis.results import Group
from orchestrator.report.sentences import describe_group


def split_shared_sentences(groups: Sequence[Group], said: Iterable[str] = ()) -> tuple[list[str], list[list[str]]]:
    """Return the sentences that several groups share, each once, and those of each group alone.

    A sentence that is part of one in `said` is left out.
    """
    before = tuple(said)
    every = [[each for each in describe_group(group) if not is_said(each, before)] for group in groups]
    counts = Counter(sentence for sentences in every for sentence in dict.fromkeys(sentences))
    shared = [format_shared(sentence, count, len(groups)) for sentence, count in counts.items() if count > 1]
    return shared, [[sentence for sentence in sentences if counts[sentence] == 1] for sentences in every]


def is_said(sentence: str, said: Iterable[str]) -> bool:
    """Return whether a sentence is part of one that was said before."""
    return any(sentence in text for text in said)


def format_shared(sentence: str, count: int, groups: int) -> str:
    """Return a sentence that several groups share, with their number unless it is true of all."""
    return sentence if count == groups else f"In {count} of {groups} computations: {sentence}"
