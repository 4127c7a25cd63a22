"""The types that every framework demands of the outputs of its steps."""

import numpy as np
import pytest

from schemas.job import Cell
from workers.frameworks import check_output_types, import_framework


def test_values_of_the_frameworks_own_type_are_taken() -> None:
    taken = (1.5, 2.5)
    check_output_types(taken, float)
    with pytest.raises(TypeError):
        check_output_types(taken, int)


def test_values_that_were_copied_to_the_host_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="returned list instead of float"):
        check_output_types((1.5, [2.5]), float)


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"])
def test_a_step_that_hands_back_numpy_arrays_is_no_measurement(framework: str) -> None:
    pytest.importorskip(framework)
    with pytest.raises(TypeError, match="returned ndarray"):
        import_framework(framework)(Cell(framework=framework, mode="eager", workload="mlp")).to_numpy((np.ones(2),))


def test_a_session_hands_back_numpy_arrays_since_it_has_no_others() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    cell = Cell(framework="tensorflow", mode="session", workload="mlp")
    session = import_framework("tensorflow", "workers.frameworks.tensorflow_session")(cell)
    assert [array.tolist() for array in session.to_numpy((np.float32(2), np.ones(2, np.float32)))] == [2.0, [1.0, 1.0]]
    with pytest.raises(TypeError, match="instead of ndarray or generic"):
        session.to_numpy((tensorflow.constant(1.0),))
