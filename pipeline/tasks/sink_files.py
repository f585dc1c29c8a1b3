"""Begins a sink in a checkout of this repository: a module, its conformance test, and the entry point."""

import re
from importlib.resources import files
from pathlib import Path

from driftline.pipeline.common.errors import UserError

EXAMPLE, EXAMPLE_TEST = "tests/sinks/example.py", "tests/sinks/test_example.py"
"""What is copied: a sink by HTTP that only appends, run by the tests as it stands."""
ENTRY_POINTS = '[project.entry-points."driftline.sinks"]\n'
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def checkout() -> Path:
    """The root of the checkout that this runs from. Raises UserError where Driftline is installed without its tests."""
    root = Path(str(files("driftline.pipeline.tasks"))).resolve().parents[1]
    if not (root / EXAMPLE).exists():
        raise UserError(
            "`driftline sinks` changes the repository's own files: run it from a checkout",
            fix="git clone, then make venv",
        )
    return root


def begin(name: str, root: Path) -> list[Path]:
    """Writes the files of a sink; which they are. Raises UserError for a name that cannot be one, or is taken."""
    if not NAME.fullmatch(name):
        raise UserError("not a sink's name", fix="write lower-case words joined by _: acme_hook", place=name)  # fmt: skip
    module, test = root / "sinks" / name / "__init__.py", root / "tests/sinks" / f"test_{name}.py"
    project = root / "pyproject.toml"
    taken = (module.parent, module.parent.with_suffix(".py"), test)
    if any(path.exists() for path in taken):
        raise UserError("there is a sink, or a module, of this name", fix="choose another", place=name)  # fmt: skip
    module.parent.mkdir()
    module.write_text(_renamed((root / EXAMPLE).read_text(), name))
    test.write_text(_renamed((root / EXAMPLE_TEST).read_text(), name))
    project.write_text(_with_entry_point(project.read_text(), name))
    return [module, test, project]


def _renamed(text: str, name: str) -> str:
    title = "".join(word.capitalize() for word in name.split("_"))
    text = re.sub(r" \(`driftline sinks new`\ncopies .*?\)", "", text, flags=re.DOTALL)
    text = text.replace(
        "from tests.sinks import example\n", f"from driftline.sinks import {name}\n"
    )
    return text.replace("example", name).replace("Example", title)


def _with_entry_point(text: str, name: str) -> str:
    before, head, after = text.partition(ENTRY_POINTS)
    block, blank, rest = after.partition("\n\n")
    lines = sorted([*block.splitlines(), f'{name} = "driftline.sinks.{name}"'])
    return before + head + "\n".join(lines) + blank + rest
