"""The structure of the source stays within its bounds, and the script that measures it counts as it says."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.benchmarks.structure import (
    Function,
    Structure,
    build_room_graph,
    count_complexity,
    count_levels,
    count_lines,
    is_one_word,
    iterate_docstrings,
    iterate_imports,
    measure_structure,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def found() -> Structure:
    return measure_structure(ROOT)


def test_a_newcomer_can_count_the_rooms_at_the_top(found: Structure) -> None:
    assert found.room_folders <= 16


def test_imports_go_one_way_through_few_levels(found: Structure) -> None:
    assert found.rooms_on_cycles == 0
    assert found.levels <= 11


def test_most_functions_are_named_by_more_than_one_word(found: Structure) -> None:
    assert found.one_word_share <= 0.30


def test_docstrings_say_what_a_thing_is_and_do_not_ask(found: Structure) -> None:
    assert found.question_share <= 0.02


def test_the_formatter_is_never_overruled(found: Structure) -> None:
    assert found.formatter_overruled == 0


def test_no_function_is_too_complex(found: Structure) -> None:
    assert found.too_complex == ()


def test_there_is_as_much_of_the_tests_as_of_the_source(found: Structure) -> None:
    assert found.test_ratio >= 1.0


def test_comments_are_there_and_do_not_tell_what_the_code_says(found: Structure) -> None:
    assert 0.02 <= found.comment_share <= 0.06


# The script itself, on a small house.


def build(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A house of three rooms on three levels, and one module beside them."""
    return build(
        tmp_path,
        {
            "orchestrator/__init__.py": '"""A package."""\n',
            "orchestrator/top/one.py": "from orchestrator.middle import two\n",
            "orchestrator/middle/two.py": "def load_all():\n    import orchestrator.bottom.three\n",
            "orchestrator/bottom/three.py": '"""How it works."""\n# a reason\nX = 1  # another\n',
            "orchestrator/errors.py": "from orchestrator.bottom.three import X\n",
            "workers/workloads/net.py": "def f(): pass\n",
            "workers/run.py": '"""Runner."""\ndef run():\n    """Run it."""\ndef read_all(): pass\n',
            "tests/test_all.py": "def test_it() -> None: ...\n" * 5,
        },
    )


def test_a_room_imports_another_wherever_the_import_stands(house: Path) -> None:
    assert build_room_graph(house) == {"top": {"middle"}, "middle": {"bottom"}, "bottom": set(), "errors": {"bottom"}}


def test_levels_are_the_longest_way_down_and_a_cycle_is_one_level(house: Path) -> None:
    assert count_levels(build_room_graph(house)) == (3, 0)
    build(house, {"orchestrator/bottom/four.py": "from orchestrator.top import one\n"})
    levels, on_cycles = count_levels(build_room_graph(house))
    assert on_cycles == 3
    assert levels < 3


def test_a_house_is_measured_with_all_its_figures(house: Path) -> None:
    found = measure_structure(house)
    assert (found.room_folders, found.room_modules, found.room_imports) == (3, 1, 3)
    assert (found.functions, found.one_word_names) == (3, 1)
    assert (found.docstrings, found.question_docstrings) == (4, 1)
    assert (found.source_lines, found.test_lines) == (13, 5)
    assert found.comment_share == pytest.approx(2 / 13)
    assert (found.too_complex, found.formatter_overruled) == ((), 0)


def test_a_function_that_is_too_complex_is_named(house: Path) -> None:
    branches = "".join(f"    if x == {number}: pass\n" for number in range(12))
    build(house, {"orchestrator/top/knot.py": f"def tie_knot(x):\n{branches}"})
    assert measure_structure(house).too_complex == ("orchestrator/top/knot.py:tie_knot",)


def test_a_comment_that_overrules_the_formatter_is_counted_in_the_tests_too(house: Path) -> None:
    overruled = "X = 1 # " + "fmt: skip\n"
    build(house, {"tests/test_more.py": overruled, "orchestrator/top/more.py": overruled})
    assert measure_structure(house).formatter_overruled == 2


@pytest.mark.parametrize(
    ("name", "one"), [("run", True), ("_run", True), ("read_all", False), ("_read_all", False), ("__init__", False)]
)
def test_a_name_of_one_word_has_no_underscore_within(name: str, one: bool) -> None:
    assert is_one_word(name) is one


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("pass", 1),
        ("if x: pass", 2),
        ("return x and y or z", 3),
        ("return x and y and z", 3),
        ("return [i for i in x if i if i > 1]", 4),
        ("while x:\n        try: pass\n        except ValueError: pass", 3),
        ("return 1 if x else 2", 2),
        ("assert x", 2),
        ("match x:\n        case 1: pass\n        case _: pass", 3),
        ("for i in x:\n        def inner():\n            if i: pass", 3),
    ],
)
def test_complexity_counts_branches_operators_and_clauses(body: str, complexity: int) -> None:
    function = ast.parse(f"def f(x, y, z):\n    {body}\n").body[0]
    assert isinstance(function, Function)
    assert count_complexity(function) == complexity


def test_imports_are_found_with_the_name_that_is_imported() -> None:
    text = "import a.b\nfrom c.d import e, f\nif TYPE_CHECKING:\n    from g import h\nfrom . import i\n"
    assert list(iterate_imports(ast.parse(text))) == ["a.b", "c.d.e", "c.d.f", "g.h"]


def test_lines_and_comments_are_those_of_the_packages_that_are_named(house: Path) -> None:
    assert count_lines(house, "tests") == (5, 0)
    assert count_lines(house, "orchestrator")[1] == 2
    assert count_lines(house, "nowhere") == (0, 0)


def test_docstrings_are_those_of_modules_classes_and_functions(house: Path) -> None:
    assert sorted(iterate_docstrings(house, "workers")) == ["Run it.", "Runner."]
