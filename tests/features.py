"""`make features`: which tests prove which row of docs/features.md; exit code 1 where a built row is not proved.

A test cites rows by `@pytest.mark.feature("G8", "G9")`, on itself or by `pytestmark` on its module. What people who
make campaigns do needs a journey among its tests: by command line and HTTP, up to the sink. Nothing is run: the sources
are read.
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
_OF_PEOPLE = re.compile(r"[GMPAF]\d+|B(?:11|12|13|14|21)")
"""Rows about what people do who make campaigns: the five products, and what belongs to it of what goes beyond them."""
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


def problems(known: Mapping[str, tuple[str, bool]], cited: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what is wrong with rows (as of `rows`) and their tests (as of `proofs`)."""
    built = [row for row, (_, is_built) in known.items() if is_built]
    untravelled = [
        row
        for row in built
        if _OF_PEOPLE.fullmatch(row) and row in cited and not any(test.startswith(JOURNEYS) for test in cited[row])
    ]
    return [
        *(f"{row} is built, and no test cites it" for row in built if row not in cited),
        *(f"{row} is what people do, and no journey cites it: one in {JOURNEYS} has to" for row in untravelled),
        *(f"{row} is cited by {tests[0]}, and is no row here" for row, tests in cited.items() if row not in known),
    ]


def main() -> int:
    """Print it."""
    known, cited = rows((ROOT / "docs/features.md").read_text(encoding="utf-8")), proofs(ROOT / "tests")
    lines: list[str] = []
    for row, (words, built) in known.items():
        lines.append(f"{row:4} {'built' if built else 'open ':5}  {words}")
        lines += [f"{'':12}{test}" for test in cited.get(row, ())]
    wrong = problems(known, cited)
    sys.stdout.write("\n".join([*lines, *wrong]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
