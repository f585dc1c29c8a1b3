"""The kinds of sinks that are installed: our own and those of other packages, by entry points."""

from functools import cache
from typing import cast

from driftline.pipeline.common import plugins
from driftline.pipeline.common.errors import UserError
from driftline.sinks.module import NEEDED, SinkModule

GROUP = "driftline.sinks"


def kinds() -> list[str]:
    """Their names."""
    return sorted(plugins.installed(GROUP))


@cache
def module(kind: str) -> SinkModule | None:
    """The module of a kind; None if none is installed. Raises UserError for a module that is no sink's."""
    if kind not in kinds():
        return None
    found = plugins.load(GROUP, kind)
    lacking = [name for name in NEEDED if not hasattr(found, name)]
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
