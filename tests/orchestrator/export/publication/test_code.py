"""Published code has the hash that its cells state, whatever its folders, and only built-in code needs none."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.export.publication.code import (
    BUILT_IN,
    MAX_SEARCHED_BYTES,
    MODES,
    describe_code_fault,
    hash_published_code,
)
from orchestrator.export.publication.contents import Contents
from schemas.code import hash_workload_code

part = st.sampled_from(["a", "b", "a_b", "ab", "B", "layers"])
places = st.lists(st.tuples(st.lists(part, max_size=3), part), min_size=1, max_size=8)


@given(places)
def test_the_hash_is_that_of_the_folder(found: list[tuple[list[str], str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, files = Path(name), dict[str, bytes]()
        for folders, stem in found:
            path = folder.joinpath(*folders, f"{stem}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content := f"# {stem}".encode())
            files[f"code/mine/{path.relative_to(folder).as_posix()}"] = content
        assert hash_published_code(Contents("x", files), "code/mine") == hash_workload_code(folder)


def test_another_folder_does_not_count() -> None:
    one = {"code/mine/reference.py": b"1"}
    assert hash_published_code(Contents("x", one), "code/mine") == hash_published_code(
        Contents("x", one | {"code/mine-2/reference.py": b"2"}), "code/mine"
    )


def test_bytes_that_are_no_text_cannot_be_checked() -> None:
    assert describe_code_fault(b"\xff\xfe") == "discloses bytes that are no text"
    assert describe_code_fault(b"x = 1\n") == ""


def test_a_file_that_is_too_large_to_be_searched_is_refused() -> None:
    assert describe_code_fault(b"x = 1\n".ljust(MAX_SEARCHED_BYTES)) == ""
    fault = "is larger than 1 MiB, the most that is searched for secrets"
    assert describe_code_fault(b"x = 1\n".ljust(MAX_SEARCHED_BYTES + 1)) == fault


def test_the_modes_and_workloads_of_this_program_are_known() -> None:
    assert {("torch", "trace"), ("tensorflow", "function"), ("numpy", "eager")} <= MODES
    assert {"rnn_cell", "mlp", "synthetic"} <= BUILT_IN
