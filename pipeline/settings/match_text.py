"""Conditions over documents, as settings write them."""

import re
from collections.abc import Iterator

from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.settings.base import Mistake


def match_mistakes(text: str) -> Iterator[Mistake]:
    """What is wrong with the CEL condition of a field `match`; an empty one is right."""
    if not text:
        return
    from driftline.pipeline.rulebook.cel.expression import ExpressionError
    from driftline.pipeline.rulebook.match import FACTS, Match

    try:
        Match(text)
    except ExpressionError as error:
        unknown = re.search(r"undeclared reference to '(\w+)'", str(error))
        fix = hint(unknown[1], FACTS) if unknown else ""
        yield Mistake(("match",), f"column {error.column}: {error}", fix)
