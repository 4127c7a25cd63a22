"""Dropout is off while a step is prepared and called for verification, and on again after that."""

from types import SimpleNamespace

import pytest

from workers.dropout import Dropout, prepare_without


def make_layers() -> tuple[SimpleNamespace, SimpleNamespace, Dropout]:
    one, two = SimpleNamespace(rate=0.5, p=0.25, width=3), SimpleNamespace(rate=0.0)
    return one, two, Dropout([(one, ["rate", "p"]), (two, [])])


def test_rates_alone_are_switched_and_restored() -> None:
    one, two, dropout = make_layers()
    assert dropout.layers == 1
    with dropout.switch_off():
        assert (one, two) == (SimpleNamespace(rate=0.0, p=0.0, width=3), SimpleNamespace(rate=0.0))
    assert (one.rate, one.p) == (0.5, 0.25)
    dropout.switch_rates(on=False)
    dropout.switch_rates(on=True)
    assert (one.rate, one.p) == (0.5, 0.25)


def test_a_verified_step_is_prepared_and_called_without_dropout_even_if_it_fails() -> None:
    one, _, dropout = make_layers()

    def prepare() -> object:
        seen = [one.rate]

        def step(*inputs: float) -> tuple[float, ...]:
            return (*seen, one.rate, 1 / inputs[0])

        return step

    step = prepare_without(dropout, prepare)  # type: ignore[arg-type]
    assert one.rate == 0.5
    assert step(2.0) == (0.0, 0.0, 0.5)
    assert one.rate == 0.5
    with pytest.raises(ZeroDivisionError):
        step(0.0)
    assert one.rate == 0.5


@pytest.mark.parametrize(("timed", "said"), [(False, "dropout is off (layers: 1)"), (True, "dropout is on in timed")])
def test_a_note_says_where_dropout_is_off(timed: bool, said: str) -> None:
    assert make_layers()[2].describe_use(timed=timed).startswith(said)
