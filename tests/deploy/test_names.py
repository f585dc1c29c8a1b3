"""Words: docs/glossary.md is short and in use, and a class name means one thing in the whole product."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
TERMS = re.findall(
    r"^\| (?!term )([a-z][a-z -]*[a-z]) \| (\S.*\S) \| (\S.*\S) \|$", GLOSSARY, re.MULTILINE
)
SHARED = {
    name: int(count)
    for name, count in (line.split() for line in (Path(__file__).parent / "shared_names.txt").read_text().splitlines())
}  # fmt: skip
"""Class names that still occur more than once. The file may only become shorter: rename the class, then remove its line."""


@cache
def _sources() -> dict[Path, str]:
    return {
        path: path.read_text()
        for folder in ("pipeline", "collectors", "sinks")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def test_the_glossary_is_short() -> None:
    names = [term for term, _, _ in TERMS]
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("| ")]
    headings = sum(line == "| --- | --- | --- |" for line in rows)
    assert len(names) == len(rows) - 2 * headings, "every row is `| term | means | is not |`"
    assert 20 <= len(names) <= 50
    assert len(set(names)) == len(names)


def test_every_term_is_used() -> None:
    text = "\n".join(_sources().values())
    unused = [
        term
        for term, _, _ in TERMS
        if not re.search(rf"\b{re.sub('[ -]', '[ _-]?', term)}s?\b", text, re.IGNORECASE)
    ]
    assert unused == []


def test_a_class_name_occurs_once() -> None:
    found = Counter(
        node.name
        for text in _sources().values()
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    )
    twice = {name: n for name, n in found.items() if n > SHARED.get(name, 1)}
    assert twice == {}, "rename the new one"


def test_the_glossary_is_linked() -> None:
    assert "(glossary.md)" in (ROOT / "docs/architecture.md").read_text()
    assert "(docs/glossary.md)" in (ROOT / "CONTRIBUTING.md").read_text()
