"""`make features`: which tests prove which row of docs/features.md; exit code 1 where a built row is not proved.

A test cites rows by `@pytest.mark.feature("G8", "G9")`, on itself or by `pytestmark` on its module. What people who
make campaigns do needs journeys among its tests, which between them ask by both ways, command line and HTTP, up to the
sink. Nothing is run: the sources are read. Whether a journey asks by a way is read off the calls it makes of somebody
of tests/harness/marketer.py, or of `Posthaste`; functions of its own module are followed.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
JOURNEYS = "tests/journey/"
BOTH = frozenset({"HTTP", "command line"})
_OF_PEOPLE = re.compile(r"[GMPAF]\d+|B(?:11|12|13|14|21)")
"""Rows about what people do who make campaigns: the five products, and what belongs to it of what goes beyond them."""
_ASKS = frozenset({"Marketer", "BothWays"})
"""Whoever asks by both ways; what each of their methods asks by is read as well."""
_MEET = frozenset({"asking", "at_work"})
"""What yields one of them."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_ROW = re.compile(r"^\| ([GMPAFB]\d+) \| (.+?) \| (built|open) \|$", re.MULTILINE)


def rows(document: str) -> dict[str, tuple[str, bool]]:
    """Return row -> its words, and whether it is built."""
    return {row: (words, state == "built") for row, words, state in _ROW.findall(document)}


def citations(source: str) -> Iterator[tuple[str, str]]:
    """Yield (row, test) of one module; the test is "" where the whole module cites the row."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from ((row, node.name) for mark in node.decorator_list for row in _cited(mark))
        elif isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "pytestmark" for target in node.targets):
            yield from ((row, "") for call in ast.walk(node.value) for row in _cited(call))


def _cited(node: ast.AST) -> list[str]:
    """Return the rows that a call of `pytest.mark.feature` names."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "feature":
        return []
    return [str(one.value) for one in node.args if isinstance(one, ast.Constant)]


@cache
def proofs(folder: Path) -> dict[str, list[str]]:
    """Return row -> the tests that cite it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for row, test in citations(path.read_text(encoding="utf-8")):
            found[row].append(f"{path.relative_to(folder.parent)}{'::' if test else ''}{test}")
    return found


def ways(source: str, test: str = "") -> frozenset[str]:
    """Return by which ways a test of a journey asks; all tests of the module where none is named."""
    known = {node.name: node for node in ast.parse(source).body if isinstance(node, _Function)}
    asked = [name for name in known if name.startswith("test_")] if not test else [test]
    return frozenset[str]().union(*(_ways_of(name, known, frozenset()) for name in asked))


def _ways_of(name: str, known: Mapping[str, _Function], seen: frozenset[str]) -> frozenset[str]:
    if name in seen or name not in known:
        return frozenset()
    people, lines = _asking(known[name])
    found: set[str] = set()
    for call in (node.func for node in ast.walk(known[name]) if isinstance(node, ast.Call)):
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id in people:
            found |= _methods().get(call.attr, frozenset())
        elif isinstance(call, ast.Name):
            found |= {"command line"} if call.id in lines else _ways_of(call.id, known, seen | {name})
    return frozenset(found)


def _asking(function: _Function) -> tuple[set[str], set[str]]:
    """Return how a function calls those who ask by both ways, and its command lines."""
    people: set[str] = set()
    lines: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name):
            people |= {node.arg} if node.annotation.id in _ASKS else set()
            lines |= {node.arg} if node.annotation.id == "Posthaste" else set()
        elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            met = node.context_expr
            if isinstance(met, ast.Call) and isinstance(met.func, ast.Name) and met.func.id in _MEET:
                people.add(node.optional_vars.id)
    return people, lines


@cache
def _methods() -> dict[str, frozenset[str]]:
    """Return by which ways each method of whoever asks does so."""
    source = (ROOT / "tests/harness/marketer.py").read_text(encoding="utf-8")
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name in _ASKS]
    own = {node.name: node for each in classes for node in each.body if isinstance(node, _Function)}
    found = {"posthaste": {"command line"}} | {name: set[str]() for name in own}
    found["asked"].add("HTTP")
    for _ in own:  # each round follows one call further
        for name, node in own.items():
            for each in ast.walk(node):
                if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "self":
                    found[name] |= found.get(each.attr, set())
    return {name: frozenset(by) for name, by in found.items()}


def journeys(folder: Path) -> dict[str, frozenset[str]]:
    """Return the tests of journeys that cite rows, as `proofs` names them -> the ways by which they ask."""
    found = {}
    for name in {test for tests in proofs(folder).values() for test in tests if test.startswith(JOURNEYS)}:
        path, _, test = name.partition("::")
        found[name] = ways((folder.parent / path).read_text(encoding="utf-8"), test)
    return found


def problems(
    known: Mapping[str, tuple[str, bool]], cited: Mapping[str, Sequence[str]], asked: Mapping[str, frozenset[str]]
) -> list[str]:
    """Return what is wrong with rows (as of `rows`), their tests (as of `proofs`), and the ways of `journeys`."""
    built = [row for row, (_, is_built) in known.items() if is_built]
    untravelled = [
        row
        for row in built
        if _OF_PEOPLE.fullmatch(row) and row in cited and not any(test.startswith(JOURNEYS) for test in cited[row])
    ]
    travelled = {
        row: frozenset[str]().union(*(asked.get(test, frozenset()) for test in cited[row]))
        for row in built
        if _OF_PEOPLE.fullmatch(row) and row in cited and row not in untravelled
    }
    return [
        *(f"{row} is built, and no test cites it" for row in built if row not in cited),
        *(f"{row} is what people do, and no journey cites it: one in {JOURNEYS} has to" for row in untravelled),
        *(
            f"{row} is what people do, and no journey that cites it asks by {way}"
            for row, by in travelled.items()
            for way in sorted(BOTH - by)
        ),
        *(f"{row} is cited by {tests[0]}, and is no row here" for row, tests in cited.items() if row not in known),
    ]


def main() -> int:
    """Print it."""
    known, cited = rows((ROOT / "docs/features.md").read_text(encoding="utf-8")), proofs(ROOT / "tests")
    lines: list[str] = []
    for row, (words, built) in known.items():
        lines.append(f"{row:4} {'built' if built else 'open ':5}  {words}")
        lines += [f"{'':12}{test}" for test in cited.get(row, ())]
    wrong = problems(known, cited, journeys(ROOT / "tests"))
    sys.stdout.write("\n".join([*lines, *wrong]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
