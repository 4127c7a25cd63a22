"""An error is summarised in one line, with the place where a reader should look."""

from pathlib import Path

import numpy as np
import pytest

from workers import workloads
from workers.errors import Malformed, is_out_of_memory, is_sibling_module, locate_error, summarise_error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("too small"), "ValueError: too small"),
        (RuntimeError("in a graph\n  node 1\n\n  node 2 is bad\n"), "RuntimeError: node 2 is bad"),
        (RuntimeError("a trace\nRuntimeError: the cause"), "RuntimeError: the cause"),
        (KeyError("W_h"), "KeyError: 'W_h'"),
        (ValueError(), "ValueError: "),
        (
            RuntimeError('\nundefined value y:\n  File "x.py", line 3\n    return y\n           ~ <--- HERE\n'),
            "RuntimeError: undefined value y",
        ),
        (
            Exception('It failed.\n  File "x.py", line 3\n    x.mm(y) <--- HERE\n    return\nRuntimeError: 3 is not 4'),
            "RuntimeError: 3 is not 4",
        ),
        (
            ValueError("in user code:\n\n  ValueError: z is not there\n  Note: it was tried"),
            "ValueError: z is not there",
        ),
        (TypeError("A bool was asked for.\nSee https://docs/errors"), "TypeError: A bool was asked for."),
        (KeyError("a\nb"), "KeyError: 'a\\nb'"),
        (ValueError("{{node MatMul_2}} Matrix size-incompatible"), "ValueError: Matrix size-incompatible"),
        (
            RuntimeError("Check failed, reason: Debug(\nresult=0,\nparts=['size() == 3'],\nstack=None)\n"),
            "RuntimeError: Check failed, reason: Debug( result=0, parts=['size() == 3'], stack=None)",
        ),
        (
            ValueError("Graph execution error:\n\n  File 'x', line 3\n\nOnly NHWC.\n\t [[{{node Pool}}]] [Op:__f_6]"),
            "ValueError: Only NHWC.",
        ),
        (
            ValueError(
                '3 is not 4\n\nStack trace for op definition: \nFile "x.py", line 3, in f\n\n\t [[{{node while}}]]\n'
                "\ttf2xla conversion failed. [Op:__f_6]"
            ),
            "ValueError: 3 is not 4",
        ),
        (
            ValueError("Node: 'Pool'\nOnly NHWC.\n\t [[{{node Pool}}]]\n\nOriginal stack trace:\n  File 'x', line 3\n"),
            "ValueError: Only NHWC.",
        ),
        (
            ValueError("2 root errors\n  (0) INTERNAL:  3 is not 4\n\t [[{{node A}}]]\n  (1) LATE:  no\n0 ignored."),
            "ValueError: 3 is not 4",
        ),
    ],
)
def test_an_error_is_its_type_and_the_last_line_of_what_it_says(error: Exception, line: str) -> None:
    assert summarise_error(error) == line


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ValueError("too small"), False),
        (ImportError("libc10.so: failed to map segment from shared object"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
    ],
)
def test_want_of_memory_is_known_by_whatever_name(error: Exception, *, memory: bool) -> None:
    assert is_out_of_memory(error) == memory


def test_a_long_message_is_cut() -> None:
    assert summarise_error(ValueError("x" * 10_000)).startswith("ValueError: xxx")
    assert len(summarise_error(ValueError("x" * 10_000))) <= 300


def test_an_error_in_a_workload_names_its_innermost_line() -> None:
    without_its_bias = {"W_0": np.ones((1, 1)), "another": np.ones(1)}
    with pytest.raises(KeyError) as caught:
        workloads.import_reference("mlp").backward({}, without_its_bias, np.ones((1, 1)))
    file, line = locate_error(caught.value).rsplit(":", 1)
    assert Path(file).parts[-2:] == ("mlp", "reference.py")
    assert 'weights[f"b_{layer}"]' in Path(file).read_text().splitlines()[int(line) - 1]


def test_an_error_that_never_came_through_the_measured_side_has_no_place() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        assert 1 / 0
    assert locate_error(caught.value) == ""


def test_an_error_that_only_explains_another_gives_way_to_it() -> None:
    kind = type("TorchRuntimeError", (RuntimeError,), {"__module__": "torch._dynamo.exc"})
    with pytest.raises(RuntimeError) as caught:
        raise kind("When making a fake tensor call\n  Hint: look elsewhere") from ValueError("2 is not 3")
    assert summarise_error(caught.value) == "ValueError: 2 is not 3"


def test_a_place_is_in_the_first_folder_that_the_error_came_through(tmp_path: Path) -> None:
    with pytest.raises(KeyError) as caught:
        workloads.import_reference("mlp").backward({}, {"W_0": np.ones((1, 1)), "another": np.ones(1)}, np.ones((1, 1)))
    assert locate_error(caught.value, tmp_path) == ""
    assert locate_error(caught.value, tmp_path, Path(__file__).parent).startswith(f"{__file__}:")


def test_where_no_frame_is_in_a_folder_what_the_error_says_is_searched_and_the_innermost_is_last(
    tmp_path: Path,
) -> None:
    said = (
        f'in user code:\n  File "{tmp_path}/torch.py", line 12, in loss\n  File "{tmp_path}/torch.py", line 7\n  1 / 0'
    )
    assert locate_error(RuntimeError(said), tmp_path) == f"{tmp_path}/torch.py:7"
    noted = RuntimeError("no")
    noted.add_note(f'File "{tmp_path}/tensorflow.py", line 21')
    assert locate_error(noted, tmp_path) == f"{tmp_path}/tensorflow.py:21"
    assert locate_error(RuntimeError(said), tmp_path / "torch") == ""


def test_a_cause_has_a_place_where_the_error_itself_has_none(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("wrapped") from SyntaxError("expected ':'", (f"{tmp_path}/jax.py", 17, 0, "", 17, 1))
    assert locate_error(caught.value, tmp_path) == f"{tmp_path}/jax.py:17"


def test_what_is_malformed_says_itself_where() -> None:
    assert (
        locate_error(Malformed("there is no class Model", "/mine/torch.py:3"), Path("/elsewhere")) == "/mine/torch.py:3"
    )


def test_a_module_that_is_not_found_may_lie_beside_the_file_that_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / "blocks.py").touch()
    program = compile("import blocks", f"{tmp_path}/torch.py", "exec")
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(program, {})
    assert is_sibling_module("blocks", caught.value)
    assert not is_sibling_module("block", caught.value)
    assert not is_sibling_module("a.b", caught.value)
