"""Providers of other packages, installed for one test."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

import pytest

from driftline.pipeline.common import plugins
from driftline.pipeline.model.base import PROVIDERS
from driftline.pipeline.providers import installed
from driftline.pipeline.rulebook import shapes
from driftline.pipeline.rulebook.cel import expression, functions

CACHED: list[Callable[..., object]] = [
    plugins.installed, installed.provider, installed.identities, installed.event_fields, installed.plain_hints, installed.known_tools, installed.vouched_tools, installed.longest_session, shapes.builtin_shapes, functions.own_functions, functions.functions_of,
    expression.environment,
]  # fmt: skip
"""What is kept of the installed providers in a process."""


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What entry points of another package name, by their names, beside ours. Fill it before anything is looked up."""
    named: dict[str, object] = {}
    module = ModuleType("elsewhere")
    module.__getattr__ = named.__getitem__  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "elsewhere", module)

    def found(group: str) -> list[EntryPoint]:
        ours = list(entry_points(group=group))
        if group != PROVIDERS:
            return ours
        return [*ours, *(EntryPoint(name, f"elsewhere:{name}", group) for name in named)]

    monkeypatch.setattr(plugins, "entry_points", found)
    forget()
    yield named
    monkeypatch.undo()
    forget()


def forget() -> None:
    """Looks everything up again."""
    for one in CACHED:
        one.cache_clear()  # type: ignore[attr-defined]
