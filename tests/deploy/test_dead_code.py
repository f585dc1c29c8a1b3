"""Nothing is defined that the product itself does not use: a test is not a user."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CALLED_BY_OTHERS = {
    "fmt": "botocore's exceptions",
    "model_config": "pydantic",
    "readable": "io.RawIOBase",
    "_create_aiohttp_session": "elastic_transport.AiohttpHttpNode",
    "readinto": "io.RawIOBase",
    "attempt": "a field of the wire, of a record that another version may write",
    "assignee": "a field of the wire (tickets)",
    "comment": "a field of the wire (tickets)",
    "complete_at": "a field of the JSON that coverage prints",
}
"""Names that only another library, or a reader of what is written, looks at."""
STEPS = re.compile(r"pipeline/demo/(changes|damage)\.py")
"""Methods that are steps of the demo, found by their decorator."""
SECRET_FILE = re.compile(r"\w+_file")
"""Settings that fill a secret: found by the secret's name."""


def definitions(tree: ast.Module) -> Iterator[str]:
    """Names of functions, methods, classes, constants and typed fields. Commands and validators register themselves."""
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for node in (one for body in bodies for one in body):
        match node:
            case (
                ast.FunctionDef(name=name, decorator_list=by)
                | ast.AsyncFunctionDef(name=name, decorator_list=by)
            ):
                if not any(re.search("command|group|validator", ast.unparse(one)) for one in by):
                    yield name
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (
                    n.id for one in targets for n in ast.walk(one) if isinstance(n, ast.Name)
                )
            case _:
                pass


def uses(tree: ast.Module) -> Iterator[str]:
    """Names that are read, as a variable, an attribute, or a word of a short text (getattr, rows of data)."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load()):
                yield name
            case ast.ImportFrom(module=str() as module):
                yield module.rpartition(".")[2]
            case ast.MatchClass(kwd_attrs=names):
                yield from names
            case ast.Constant(value=str() as text) if len(text) < 60:
                yield from re.findall(r"\w+", text)
            case _:
                pass


def test_nothing_is_defined_that_nobody_uses() -> None:
    files = [
        p for folder in ("pipeline", "collectors", "sinks") for p in (ROOT / folder).rglob("*.py")
    ]
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted(files)}
    used = {name for tree in trees.values() for name in uses(tree)} | CALLED_BY_OTHERS.keys()
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    used |= {value.rpartition(":")[2] for group in groups.values() for value in group.values()}
    dead = {
        f"{path}: {name}"
        for path, tree in trees.items()
        if not STEPS.match(path)
        for name in definitions(tree)
        if name not in used and not name.startswith("__") and not SECRET_FILE.fullmatch(name)
    }
    assert dead == set()


@pytest.mark.parametrize(("code", "found"), [
    ("def f(): pass\nX = 1\nclass A:\n y: int\n def g(self): pass", ["f", "X", "A", "y", "g"]),
    ("@click.command()\ndef f(): pass\n@field_validator('x')\ndef g(): pass", []),
    ("async def f(): pass\na = b = 1", ["f", "a", "b"]),
])  # fmt: skip
def test_definitions_are_found(code: str, found: list[str]) -> None:
    assert sorted(definitions(ast.parse(code))) == sorted(found)
