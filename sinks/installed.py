"""The installed kinds of sinks: built-in ones and those of other packages, found by entry points."""

from functools import cache
from typing import cast

from driftline.pipeline.common import plugins
from driftline.pipeline.common.errors import UserError
from driftline.sinks.module import NEEDED, ONE_OF, SinkModule

GROUP = "driftline.sinks"


def kinds() -> list[str]:
    """Their names."""
    return sorted(plugins.installed(GROUP))


@cache
def module(kind: str) -> SinkModule | None:
    """The module of a kind; None if it is not installed. Raises UserError if the module is not a sink."""
    if kind not in kinds():
        return None
    found = plugins.load(GROUP, kind)
    lacking = [name for name in NEEDED if not hasattr(found, name)]
    if not any(hasattr(found, name) for name in ONE_OF):
        lacking.append(" or ".join(ONE_OF))
    if lacking:
        raise UserError(
            f"{kind} is not a sink's module: it lacks {', '.join(lacking)}",
            fix="see CONTRIBUTING.md",
            place=GROUP,
        )
    if found.kind != kind:
        raise UserError(
            f"the entry point {kind} names a module of the kind {found.kind}",
            fix="give both one name",
            place=GROUP,
        )
    return cast(SinkModule, found)
