"""docs/functions.md: what rules can ask beside CEL's own."""

from collections.abc import Iterator, Mapping

from driftline.pipeline.providers.installed import providers
from driftline.pipeline.reference import code, page, table
from driftline.pipeline.rulebook.cel.functions import GENERAL, Function, own_functions

GIVES = {"BOOL": "bool", "INT": "whole number", "LIST": "list", "STRING": "text"}
INTRO = """
Functions of the rule language beside CEL's own. A path is a text under `resource.config`, its first
step the part, which must stand in the rule's `needs`; a path that ends early (a policy that is not there) gives false.
Functions that name several parts of an identity judge them as one.
What cannot be judged for sure, such as a condition by a variable of the caller, is an error, and the evaluation unknown.
Those that give a list or a text are for `values`, the named expressions of a rule's sentence.
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
    return table(("call", "gives", "what it says"), rows)
