"""Measure the structure of the source: rooms, import levels, names, sentences, complexity.

    python tests/benchmarks/structure.py            # this checkout
    python tests/benchmarks/structure.py FOLDER     # another checkout, for a comparison

A room is a folder or a module directly inside `orchestrator/`. Imports count wherever they stand: at the top of a
module, inside a function, or under `TYPE_CHECKING`. Complexity is McCabe's, with one more for each boolean operator
and each clause of a comprehension, as radon counts it.
"""

import ast
import functools
import io
import statistics
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("schemas", "workers", "orchestrator")
OPENINGS = frozenset({"What", "Whether", "How", "Where", "Who", "Whoever", "Which", "Why", "When", "Of"})
MOST_COMPLEX = 12
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.comprehension, ast.match_case, ast.Assert)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def list_sources(root: Path, *packages: str) -> list[Path]:
    """Return the Python files of these packages."""
    return sorted(path for package in packages for path in (root / package).rglob("*.py"))


@functools.lru_cache(maxsize=2000)
def parse_source(text: str) -> ast.Module:
    """Parse a file's text; cached, because each figure walks through all files."""
    return ast.parse(text)


def find_room(root: Path, path: Path) -> str | None:
    """Return the room of `orchestrator/` in which a file stands; None for the package's own two files."""
    parts = path.relative_to(root / "orchestrator").parts
    name = parts[0].removesuffix(".py")
    return None if name in ("__init__", "__main__") else name


def iterate_imports(tree: ast.AST) -> Iterator[str]:
    """Yield every module that a file imports, with the imported name as its last part."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def build_room_graph(root: Path) -> dict[str, set[str]]:
    """Return which room of `orchestrator/` imports which others."""
    sources = {path: room for path in list_sources(root, "orchestrator") if (room := find_room(root, path))}
    graph: dict[str, set[str]] = {room: set() for room in sources.values()}
    for path, room in sources.items():
        for name in iterate_imports(parse_source(path.read_text())):
            parts = name.split(".")
            if parts[0] == "orchestrator" and len(parts) > 1 and parts[1] in graph and parts[1] != room:
                graph[room].add(parts[1])
    return graph


def find_reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return every room that can be reached from a room by imports."""
    found, waiting = set[str](), [*graph[start]]
    while waiting:
        if (room := waiting.pop()) not in found:
            found.add(room)
            waiting.extend(graph[room])
    return found


def count_levels(graph: dict[str, set[str]]) -> tuple[int, int]:
    """Return the length of the longest chain of rooms, and how many rooms are on a cycle, which count as one level."""
    reachable = {room: find_reachable(graph, room) for room in graph}
    depth: dict[str, int] = {}
    for room in sorted(graph, key=lambda each: len(reachable[each])):
        below = [depth.get(other, 0) for other in graph[room] if room not in reachable[other]]
        depth[room] = 1 + max(below, default=0)
    return max(depth.values()), sum(room in reachable[room] for room in graph)


def iterate_functions(root: Path, *packages: str) -> Iterator[tuple[Path, Function]]:
    """Yield every function and method."""
    for path in list_sources(root, *packages):
        for node in ast.walk(parse_source(path.read_text())):
            if isinstance(node, Function):
                yield path, node


def is_one_word(name: str) -> bool:
    """Check for a name without an underscore between words. Python's own special names do not count."""
    return not name.startswith("__") and "_" not in name.strip("_")


def count_complexity(function: Function) -> int:
    """Return the cyclomatic complexity of a function, nested functions included."""
    found = 1
    for node in ast.walk(function):
        found += isinstance(node, BRANCHES)
        if isinstance(node, ast.BoolOp):
            found += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            found += len(node.ifs)
    return found


def iterate_docstrings(root: Path, *packages: str) -> Iterator[str]:
    """Yield the docstring of every module, class and function that has one."""
    for path in list_sources(root, *packages):
        for node in ast.walk(parse_source(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | Function) and (text := ast.get_docstring(node)):
                yield text


def count_lines(root: Path, *packages: str) -> tuple[int, int]:
    """Return how many lines the source has, and how many of them have a comment."""
    lines = comments = 0
    for path in list_sources(root, *packages):
        text = path.read_text()
        lines += text.count("\n")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            comments += token.type == tokenize.COMMENT
    return lines, comments


def count_overruled(root: Path, *packages: str) -> int:
    """Count the comments by which the formatter is told to leave code alone."""
    return sum(path.read_text().count("# " + "fmt:") for path in list_sources(root, *packages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """The figures of one checkout. Shares are between 0 and 1."""

    room_folders: int
    room_modules: int
    room_imports: int
    levels: int
    rooms_on_cycles: int
    widest_folder: str
    widest_files: int
    functions: int
    one_word_names: int
    docstrings: int
    question_docstrings: int
    formatter_overruled: int
    mean_complexity: float
    too_complex: tuple[str, ...]
    median_function_lines: float
    source_lines: int
    comment_share: float
    test_lines: int

    @property
    def one_word_share(self) -> float:
        """The share of functions with a one-word name, outside workloads."""
        return self.one_word_names / self.functions

    @property
    def question_share(self) -> float:
        """The share of docstrings that open with a question word."""
        return self.question_docstrings / self.docstrings

    @property
    def test_ratio(self) -> float:
        """The lines of tests for each line of source."""
        return self.test_lines / self.source_lines


def measure_structure(root: Path) -> Structure:
    """Measure a checkout."""
    graph = build_room_graph(root)
    folders = sum((root / "orchestrator" / room).is_dir() for room in graph)
    levels, on_cycles = count_levels(graph)
    widest = Counter(path.parent.relative_to(root) for path in list_sources(root, *PACKAGES)).most_common(1)[0]
    functions = list(iterate_functions(root, *PACKAGES))
    named = [node.name for path, node in functions if "workers/workloads/" not in path.as_posix()]
    counted = [name for name in named if not name.startswith("__")]
    texts = list(iterate_docstrings(root, *PACKAGES, "tests"))
    complexities = [(f"{path.relative_to(root)}:{node.name}", count_complexity(node)) for path, node in functions]
    lines, comments = count_lines(root, *PACKAGES)
    return Structure(
        room_folders=folders,
        room_modules=len(graph) - folders,
        room_imports=sum(map(len, graph.values())),
        levels=levels,
        rooms_on_cycles=on_cycles,
        widest_folder=str(widest[0]),
        widest_files=widest[1],
        functions=len(counted),
        one_word_names=sum(map(is_one_word, counted)),
        docstrings=len(texts),
        question_docstrings=sum(text.split()[0] in OPENINGS for text in texts),
        formatter_overruled=count_overruled(root, *PACKAGES, "tests"),
        mean_complexity=statistics.mean(value for _, value in complexities),
        too_complex=tuple(name for name, value in complexities if value > MOST_COMPLEX),
        median_function_lines=statistics.median((node.end_lineno or 0) - node.lineno + 1 for _, node in functions),
        source_lines=lines,
        comment_share=comments / lines,
        test_lines=count_lines(root, "tests")[0],
    )


def main() -> None:
    """Print each figure on a line of its own."""
    found = measure_structure(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
    print(f"rooms at the top of orchestrator/: {found.room_folders} folders and {found.room_modules} modules")
    print(f"imports between rooms: {found.room_imports}; levels: {found.levels}; on a cycle: {found.rooms_on_cycles}")
    print(f"widest folder: {found.widest_folder} with {found.widest_files} files")
    share = f"{found.one_word_names} of {found.functions}, {found.one_word_share:.0%}"
    print(f"one-word function names outside workloads: {share}")
    questions = f"{found.question_docstrings} of {found.docstrings}, {found.question_share:.1%}"
    print(f"docstrings that open with a question word: {questions}")
    print(f"places where the formatter is overruled: {found.formatter_overruled}")
    above = len(found.too_complex)
    print(f"cyclomatic complexity: mean {found.mean_complexity:.1f}; above {MOST_COMPLEX}: {above} functions")
    print(f"median function: {found.median_function_lines:g} lines")
    comments = f"comment lines: {found.comment_share:.1%}"
    print(f"lines of source: {found.source_lines}; {comments}; tests to source: {found.test_ratio:.2f}")


if __name__ == "__main__":
    main()
