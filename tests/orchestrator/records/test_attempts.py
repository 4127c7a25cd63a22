from collections.abc import Callable

from orchestrator.records.attempts import last_attempts, next_attempt
from schemas.job import Cell, JobSpec
from schemas.record import JobRecord


def test_the_last_attempt_at_a_job_counts_in_whatever_order_they_come(
    make_record: Callable[..., JobRecord], make_spec: Callable[..., JobSpec], make_cell: Callable[..., Cell]
) -> None:
    def attempt(label: str, block: int, number: int) -> JobRecord:
        return make_record(spec=make_spec(make_cell(label), block, attempt=number))

    first, second = attempt("numpy:eager", 1, 1), attempt("numpy:eager", 1, 2)
    others = [attempt("numpy:eager", 2, 1), attempt("synthetic:spin", 1, 1)]
    for records in ([first, second, *others], [second, first, *others]):
        assert last_attempts(records) == [second, *others]


def test_the_next_attempt_has_a_number_of_its_own_though_earlier_ones_were_lost(
    make_record: Callable[..., JobRecord], make_spec: Callable[..., JobSpec]
) -> None:
    assert next_attempt([]) == 1
    assert next_attempt([make_record(spec=make_spec(attempt=2))]) == 3
