"""The share of a model's answers that are equal to given labels: the largest score of each row names the answer."""

from pathlib import Path

import numpy as np

from schemas.job import JobSpec
from schemas.models import Likeness, ModelSource
from workers.arrays import Array
from workers.errors import Malformed
from workers.models import Adapter


def compare_answers(spec: JobSpec, adapter: Adapter) -> Likeness:
    """Compare a model's answers with the user's labels; return nothing without labels."""
    if spec.model is None or not spec.model.labels:
        return Likeness()
    return count_answers(spec.model, adapter, spec.seed)


def count_answers(source: ModelSource, adapter: Adapter, seed: int) -> Likeness:
    """Count the labels of the user's data, and those that a model answers with.

    Raises:
        Malformed: there are no rows to the labels, or the first output has no scores for them.
    """
    labels, right, count = read_labels(source), 0, 0
    first = adapter.draw_inputs(seed)
    batch = len(first[0]) if first[0].ndim else 1
    for turn in range(len(labels) // batch):
        adapter.set_example(adapter.draw_inputs(seed + turn))
        scores = adapter.call_example()[0]
        due = labels[turn * batch : (turn + 1) * batch]
        if scores.shape[:-1] != due.shape:
            raise Malformed(
                f"the first output of {source.title} has the shape {list(scores.shape)}, which does not fit labels of "
                f"the shape {list(due.shape)}: its last axis must hold a score for each answer"
            )
        right += int(np.count_nonzero(scores.argmax(-1) == due))
        count += due.size
    adapter.set_example(first)
    if not count:
        raise Malformed(f"{source.labels} has {len(labels)} labels, which is less than the batch of {batch}")
    return Likeness(right=right, answers=count)


def read_labels(source: ModelSource) -> Array:
    """Read whole numbers, one or several for each row of the data."""
    path = Path(source.labels)
    try:
        labels = np.load(path, allow_pickle=False)
        with np.load(source.data, allow_pickle=False) as kept:
            rows = len(kept[kept.files[0]])
    except (OSError, ValueError) as error:
        raise Malformed(f"{path} must be an .npy file with a label for each row of the data ({error})") from error
    if not np.issubdtype(labels.dtype, np.integer) or len(labels) != rows:
        raise Malformed(
            f"{path} has {labels.dtype} of the shape {list(labels.shape)}, not whole numbers for {rows} rows"
        )
    return labels
