"""Measure the structure of the source: rooms, import levels, names, sentences, complexity.

    python tests/benchmarks/structure.py            # this checkout
    python tests/benchmarks/structure.py FOLDER     # another checkout, for a comparison

A room is a folder or a module directly inside `orchestrator/`. Imports count wherever they stand: at the top of a
module, inside a function, or under `TYPE_CHECKING`. Complexity is McCabe's, with one more for each boolean operator
and each clause of a comprehension, as radon counts it.
"""

import ast
import io
import statistics
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("schemas", "workers", "orchestrator")
OPENINGS = frozenset({"What", "Whether", "How", "Where", "Who", "Whoever", "Which", "Why", "When", "Of"})
MOST_COMPLEX = 12
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.comprehension, ast.match_case, ast.Assert)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def list_sources(root: Path, *packages: str) -> list[Path]:
    """Return the Python files of these packages."""
    return sorted(path for package in packages for path in (root / package).rglob("*.py"))


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
        for name in iterate_imports(ast.parse(path.read_text())):
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
        for node in ast.walk(ast.parse(path.read_text())):
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
        for node in ast.walk(ast.parse(path.read_text())):
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


def main() -> None:
    """Print each figure on a line of its own."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    graph = build_room_graph(root)
    folders = sum((root / "orchestrator" / room).is_dir() for room in graph)
    levels, on_cycles = count_levels(graph)
    print(f"rooms at the top of orchestrator/: {folders} folders and {len(graph) - folders} modules")
    print(f"imports between rooms: {sum(map(len, graph.values()))}; levels: {levels}; rooms on a cycle: {on_cycles}")
    widest = Counter(path.parent.relative_to(root) for path in list_sources(root, *PACKAGES)).most_common(1)[0]
    print(f"widest folder: {widest[0]} with {widest[1]} files")
    functions = list(iterate_functions(root, *PACKAGES))
    named = [node.name for path, node in functions if "workers/workloads/" not in path.as_posix()]
    counted = [name for name in named if not name.startswith("__")]
    one_word = sum(map(is_one_word, counted))
    print(f"one-word function names outside workloads: {one_word} of {len(counted)}, {one_word / len(counted):.0%}")
    texts = list(iterate_docstrings(root, *PACKAGES, "tests"))
    questions = sum(text.split()[0] in OPENINGS for text in texts)
    print(f"docstrings that open with a question word: {questions} of {len(texts)}, {questions / len(texts):.1%}")
    overruled = sum(path.read_text().count("# " + "fmt:") for path in list_sources(root, *PACKAGES, "tests"))
    print(f"places where the formatter is overruled: {overruled}")
    complexities = [count_complexity(node) for _, node in functions]
    above = sum(value > MOST_COMPLEX for value in complexities)
    print(f"cyclomatic complexity: mean {statistics.mean(complexities):.1f}; above {MOST_COMPLEX}: {above} functions")
    lengths = [(node.end_lineno or node.lineno) - node.lineno + 1 for _, node in functions]
    print(f"median function: {statistics.median(lengths):g} lines")
    lines, comments = count_lines(root, *PACKAGES)
    test_lines, _ = count_lines(root, "tests")
    print(f"lines of source: {lines}; comment lines: {comments / lines:.1%}; tests to source: {test_lines / lines:.2f}")


if __name__ == "__main__":
    main()
