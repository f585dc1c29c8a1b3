"""Generates docs/functions.md: the functions that rules can call in addition to CEL's own."""

from collections.abc import Iterator, Mapping

from driftline.pipeline.providers.installed import providers
from driftline.pipeline.reference import code, page, table
from driftline.pipeline.rulebook.cel.functions import GENERAL, Function, own_functions

GIVES = {"BOOL": "bool", "INT": "whole number", "LIST": "list", "STRING": "text"}
INTRO = """
Functions that rules can use in addition to CEL's own. A path is a string relative to `resource.config`; its first
segment is the part, which must be listed in the rule's `needs`. For a path that does not exist (such as a missing policy) the result is false.
Functions that take several parts of an identity evaluate them together.
If a result cannot be determined, for example because a condition uses a variable of the caller, the function returns an error and the evaluation is unknown.
Functions that return a list or a string are for `values`, the named expressions of a rule's sentence.
A rule may call the general functions, and those of the provider whose type it is about.
"""


def pages() -> Iterator[tuple[str, str]]:
    """The page."""
    blocks = ["## Of every rule", _table(GENERAL)]
    for one in providers():
        if own := own_functions(one.name):
            blocks += [f"## Of rules about {one.title}", _table(own)]
    yield (
        "docs/functions.md",
        page(
            "Functions of rules",
            "pipeline/rulebook/cel/functions.py, pipeline/rulebook/aws/functions.py",
            INTRO,
            *blocks,
        ),
    )


def _table(functions: Mapping[str, Function]) -> str:
    rows = [
        (code(f"{name}({one.example})"), GIVES[one.returns], one.says)
        for name, one in functions.items()
    ]
    return table(("call", "returns", "meaning"), rows)
