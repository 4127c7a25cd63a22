"""The short form of the fuzzer; `tests.faults.fuzz` runs the long form."""

from tests.faults.fuzz import PARSERS, run_fuzzer


def test_every_parser_of_outside_data_takes_or_refuses_whatever_it_is_given() -> None:
    counted, broken = run_fuzzer(4000, seed=7)
    assert broken == []
    assert sum(counted.values()) == 4000
    assert {f"{name} {done}" for name in PARSERS for done in ("accepted", "refused")} == {*counted}
