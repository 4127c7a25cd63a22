"""Inputs drawn from their descriptions."""

import numpy as np

from workers.models.signature import draw_signature


def test_arguments_and_keyword_arguments_have_the_described_shapes_and_types() -> None:
    arguments, named = draw_signature(
        ("float32[batch,3]", "mask=bool[batch]", "ids=int64[batch,length=5]<7", "complex64[]"),
        {"batch": 4, "length": 6},
        seed=1,
    )
    assert [(each.shape, each.dtype.name) for each in arguments] == [((4, 3), "float32"), ((), "complex64")]
    assert {name: (each.shape, each.dtype.name) for name, each in named.items()} == {
        "mask": ((4,), "bool"),
        "ids": ((4, 6), "int64"),
    }
    assert named["ids"].min() >= 0
    assert named["ids"].max() < 7


def test_a_seed_gives_the_same_inputs_again_and_another_seed_others() -> None:
    first, again, other = (draw_signature(("float32[9]",), {}, seed)[0][0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_integers_without_a_bound_are_zeros_and_ones() -> None:
    ((drawn,), _) = draw_signature(("uint8[1000]",), {}, seed=3)
    assert set(drawn.tolist()) == {0, 1}
