import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.environments.definitions import load_environments
from orchestrator.errors import UsageError
from orchestrator.files.toml import MAX_FILE_BYTES
from orchestrator.planning.sweep_file import load_sweep_file, validate_sweep

GOOD = """\
name = "mine"
deadline = "90s"

[axes]
frameworks = ["numpy"]
batch = [1, 32]

[stop]
budget = "5m"

[[exclude]]
framework = "numpy"
batch = 32
"""


def test_a_good_file_is_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    spec = validate_sweep(load_sweep_file(tmp_path / "good.toml"))
    assert (spec.name, spec.deadline, spec.stop.budget) == ("mine", 90, 300)
    assert spec.axes.batch == (1, 32)
    assert spec.exclude[0].batch == 32


@pytest.mark.parametrize(
    ("before", "after", "line", "sentence"),
    [
        ('name = "mine"', 'nmae = "mine"', 1, "unknown key 'nmae'; did you mean name"),
        ('name = "mine"', "name = 3", 1, "name: input should be a valid string, not 3"),
        ('"90s"', '"soon"', 2, "not 'soon'"),
        ("[axes]", "[axis]", 4, "unknown key 'axis'; did you mean axes or pairs?"),
        ("batch = [1, 32]", "batchs = [1, 32]", 6, "unknown key 'batchs'; did you mean batch"),
        ("[1, 32]", "[1, 0]", 6, "axes.batch.1: input should be greater than or equal to 1, not 0"),
        ('["numpy"]', '"numpy"', 5, "axes.frameworks: "),
        ('"5m"', "-5", 9, "stop.budget: input should be greater than 0, not -5"),
        ("batch = 32", "batch = 32\nbach = 0\ndtype = 1", 14, "unknown key 'bach'; did you mean batch"),
        ("[stop]", "[timing]\nsamples = { x = 1 }\n[stop]", 9, "timing.samples: "),
        ("batch = 32", "bach = 32", 13, "unknown key 'bach'; did you mean batch"),
        ("batch = 32", 'batch = "many"', 13, "exclude.0.batch: "),
        ("batch = 32", "batch = 2\n[[exclude]]\nbatch = 0", 15, "exclude.1.batch: "),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(
    tmp_path: Path, before: str, after: str, line: int, sentence: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(UsageError, match=re.escape(f"{path}:{line}: ") + ".*" + re.escape(sentence)):
        load_sweep_file(path)


def test_malformed_toml_is_named_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(GOOD + "batch = = 3\n")
    with pytest.raises(UsageError, match=re.escape(str(path)) + ".*line 14"):
        load_sweep_file(path)


def test_a_file_that_is_not_there_and_one_that_is_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.toml", tmp_path):
        with pytest.raises(UsageError, match=re.escape(f"cannot read {path}: ")):
            load_sweep_file(path)


def test_a_file_that_is_no_text_is_named_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"name = \x80")
    with pytest.raises(UsageError, match=r"binary\.toml: not a text file in UTF-8 \(byte 7\)"):
        load_sweep_file(path)


@pytest.mark.parametrize("text", ["#" * (MAX_FILE_BYTES + 1), "é" * MAX_FILE_BYTES])
def test_a_file_that_is_too_large_is_called_too_large(tmp_path: Path, text: str) -> None:
    path = tmp_path / "large.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        load_sweep_file(path)


def test_options_have_their_key_named_and_no_file() -> None:
    with pytest.raises(UsageError, match=r"^stop\.blocks: .*, not 'few'$"):
        validate_sweep({"stop": {"blocks": "few"}})


KEYS = st.sampled_from(
    [
        "name",
        "axes",
        "stop",
        "timing",
        "exclude",
        "include",
        "seed",
        "baseline",
        "deadline",
        "batch",
        "budget",
        "frameworks",
        "samples",
        "a",
        '""',
        '"a\\nb"',
    ]
)
VALUES = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["true", '"5m"', "[]", "{}", "[1]", "[{}]", "nan"]),
    st.sampled_from(["2020-01-01", "'x'", '"\\u0000"', "{a = {b = 1}}", "[[[1]]]", "[{batch = 0}]"]),
)
LINES = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("{}.{} = {}".format, KEYS, KEYS, VALUES),
    st.builds("[{}]".format, KEYS),
    st.builds("[[{}]]".format, KEYS),
    st.text(max_size=20),
)


@given(st.one_of(st.binary(max_size=200), st.lists(LINES, max_size=6).map("\n".join).map(str.encode)))
@example(b"seed = " + b"1" * 5000)
@example(b"name = 0x" + b"f" * 5000)
@example(b"deadline = " + b"1" * 400)
@example(b"a = " + b"[" * 100_000)
def test_any_bytes_are_a_sweep_or_a_mistake_that_is_named_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    try:
        load_sweep_file(path)
    except UsageError as error:
        message = str(error)
    else:
        message = f"{path}: fine"
    assert message.isprintable()
    assert str(path) in message


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"stop": {"budget": "5parsecs"}}, "stop.budget: should be a duration such as 90s, 5m or 1.5h, not '5parsecs'"),
        ({"limits": {"memory": "much"}}, "limits.memory: should be a size such as 512MiB or 4GiB, not 'much'"),
        ({"rank_by": "peak"}, "rank_by: input should be 'time', .*'device_peak' or 'device_process', not 'peak'"),
    ],
)
def test_a_value_that_cannot_be_is_answered_with_ones_that_can(said: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        validate_sweep(said)


TABLE = """\
[axes]
frameworks = ["numpy"]

[environments.mine]
python = "3.12"
requirements = ["tiny==1.0"]
[environments."my.other"]
lock = "locks/other.lock"
"""


def test_a_lock_is_found_from_where_its_file_is(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(TABLE)
    spec = validate_sweep(load_sweep_file(tmp_path / "good.toml"))
    assert spec.environments["my.other"].lock == str(tmp_path / "locks" / "other.lock")
    assert spec.environments["mine"].python == "3.12"


def test_a_users_own_file_has_the_same_tables_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "environments.toml"
    assert load_environments(path) == {}
    path.write_text(TABLE.partition("\n\n")[2])
    assert load_environments(path).keys() == {"mine", "my.other"}
    path.write_text(TABLE)
    with pytest.raises(UsageError, match=re.escape(f"{path}:1: unknown key 'axes'; valid: environments")):
        load_environments(path)


@pytest.mark.parametrize(
    ("before", "after", "line", "sentence"),
    [
        ('python = "3.12"', "python = 3.10", 5, "not 3.1; quote it: without quotes 2.10 is the number 2.1"),
        ('python = "3.12"', 'pyhton = "3.12"', 5, "unknown key 'pyhton'; did you mean python?"),
        ('["tiny==1.0"]', '"tiny==1.0"', 6, "environments.mine.requirements: "),
        ('["tiny==1.0"]', "[1.0]", 6, "not 1.0; quote it"),
        ("[environments.mine]", "[environments.current]", 4, "current is reserved; choose another name"),
        ("[environments.mine]", '[environments."a b"]', 4, "should match pattern"),
        ('lock = "locks', 'requirements = ["x"]\nlock = "locks', 7, "either requirements or a lock"),
        ("[environments.mine]", "[environments.variables.x]", 4, "unknown key 'x'; valid: lock, "),
        ('lock = "locks/other.lock"', 'requirements = ["x"]\nvariables = {PYTHONX = "1"}', 7, "cannot set PYTHONX"),
    ],
)
def test_a_mistake_about_an_environment_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, line: int, sentence: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(TABLE.replace(before, after))
    with pytest.raises(UsageError, match=re.escape(f"{path}:{line}: ") + ".*" + re.escape(sentence)):
        load_sweep_file(path)


@pytest.mark.parametrize("name", ["reference/sweep-files.md", "how-to/environments.md"])
def test_what_the_documentation_shows_is_a_sweep_file(tmp_path: Path, name: str) -> None:
    text = Path(__file__).resolve().parents[3].joinpath("docs", name).read_text()
    found = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert found
    for number, block in enumerate(found):
        (tmp_path / f"{number}.toml").write_text(block)
        load_sweep_file(tmp_path / f"{number}.toml")
