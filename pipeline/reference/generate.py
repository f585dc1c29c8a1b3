"""Writes generated files; with --check only compares them, and fails on a difference."""

import difflib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from driftline.pipeline.model import RECORDS

if TYPE_CHECKING:
    from driftline.collectors.collector import Documented

ROOT = Path(__file__).resolve().parents[2]


def schemas() -> Iterator[tuple[str, str]]:
    """The JSON Schema of every record."""
    for record in RECORDS:
        schema = record.model_json_schema(mode="serialization") | {
            "$schema": "https://json-schema.org/draft/2020-12/schema"
        }
        text = orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
        yield f"pipeline/schemas/{record.__name__.lower()}.json", text + "\n"


def shapes() -> Iterator[tuple[str, str]]:
    """The known paths of every resource type, from the collectors' rows."""
    for one in _documented():
        text = orjson.dumps(one.shapes(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        yield f"rules/types/{one.provider}.json", text.decode() + "\n"


def pages() -> Iterator[tuple[str, str]]:
    """The generated pages of docs/."""
    from driftline.pipeline.reference import (
        commands,
        detections,
        escalation,
        functions,
        rules,
        settings,
        stream,
    )

    for module in (rules, detections, functions, escalation, settings, stream, commands):
        yield from module.pages()
    for one in _documented():
        yield from one.pages()


def deployed() -> Iterator[tuple[str, str]]:
    """The files of deploy/ that are derived from rows and pinned packages."""
    from driftline.pipeline.reference import deploy

    yield from deploy.files()
    for one in _documented():
        yield from one.deployed()


def _documented() -> "Iterator[Documented]":
    """The collectors that come with Driftline."""
    from driftline.collectors import installed
    from driftline.collectors.collector import Documented

    yield from (one for one in installed.own() if isinstance(one, Documented))


GENERATORS: tuple[Callable[[], Iterator[tuple[str, str]]], ...] = (schemas, shapes, pages, deployed)


def main(check: bool) -> int:
    """Reports differences; returns 1 if there are any and this is only a check."""
    different = 0
    for path, text in (pair for generator in GENERATORS for pair in generator()):
        file = ROOT / path
        before = file.read_text() if file.exists() else ""
        if before == text:
            continue
        different += 1
        if check:
            sys.stderr.write(f"{path} is out of date (regenerate it with: make docs)\n")
            diff = difflib.unified_diff(
                before.splitlines(), text.splitlines(), "here", "generated", lineterm="", n=1
            )
            sys.stderr.write("\n".join(list(diff)[:20]) + "\n")
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            sys.stdout.write(f"wrote {path}\n")
    return 1 if check and different else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
