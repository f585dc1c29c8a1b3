"""What is installed as a sink: ours as registered, others by their entry points, and what is none."""

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from driftline.pipeline.common import plugins
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks import elasticsearch, installed, ndjson
from driftline.sinks.configured import configured, configured_sink
from driftline.sinks.module import (
    Checks,
    Examined,
    Explains,
    Installs,
    Permitted,
    Searched,
    SinkContext,
    SinkSettings,
)

ROOT = Path(__file__).parent.parent.parent
OURS: tuple[Any, ...] = (elasticsearch, ndjson)
ALL = (Checks, Installs, Explains, Examined, Permitted, Searched)


class Foreign(SinkSettings):
    room: str = "general"


def create(settings: Foreign, context: SinkContext) -> object:
    return SimpleNamespace(settings=settings, context=context)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """Modules of another package by the names of their entry points."""
    named: dict[str, object] = {}
    module = ModuleType("elsewhere")
    module.__getattr__ = named.__getitem__  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "elsewhere", module)

    def found(group: str) -> list[EntryPoint]:
        return [EntryPoint(name, f"elsewhere:{name}", group) for name in named]

    monkeypatch.setattr(plugins, "entry_points", found)
    for cached in (plugins.installed, installed.module):
        cached.cache_clear()
    yield named
    monkeypatch.undo()
    for cached in (plugins.installed, installed.module):
        cached.cache_clear()


def test_ours_are_those_that_are_registered() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["entry-points"][installed.GROUP] == installed.OWN


@pytest.mark.parametrize("module", OURS, ids=lambda module: module.kind)
def test_ours_are_modules_of_sinks(module: Any) -> None:
    assert id(installed.module(module.kind)) == id(module)
    assert issubclass(module.Settings, SinkSettings)


def test_what_ours_are_capable_of() -> None:
    assert [isinstance(elasticsearch, one) for one in ALL] == [True] * 6
    assert [isinstance(ndjson, one) for one in ALL] == [False] * 6


def test_one_of_another_package(others: dict[str, object]) -> None:
    others["pager"] = SimpleNamespace(kind="pager", Settings=Foreign, topics=(FINDINGS,), references=False, create=create)  # fmt: skip
    assert installed.kinds() == ["elasticsearch", "ndjson", "pager"]
    found = configured_sink(Settings(), "pager")
    assert (found.name, found.settings, found.context.name) == ("pager", Foreign(), "pager")
    assert configured(Settings()) == []


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (SimpleNamespace(kind="pager"), "it lacks Settings, topics, references, create"),
        (SimpleNamespace(kind="other", Settings=Foreign, topics=(), references=False, create=create), "of the kind other"),
    ],
)  # fmt: skip
def test_what_is_no_sink(others: dict[str, object], module: object, told: str) -> None:
    others["pager"] = module
    with pytest.raises(UserError, match=told):
        configured_sink(Settings(), "pager")


def test_what_cannot_be_imported(others: dict[str, object]) -> None:
    others["pager"] = None
    installed.kinds()
    del others["pager"]
    with pytest.raises(UserError, match="pager of an unknown package cannot be imported: "):
        configured_sink(Settings(), "pager")


def test_blocks_of_the_settings_are_sinks() -> None:
    settings = Settings.model_validate({"ndjson": {"path": "x"}})
    assert [one.name for one in configured(settings)] == ["ndjson"]
    assert configured_sink(settings, "ndjson").settings == settings.ndjson
    with pytest.raises(UserError, match=r"ndjsn: no such sink \(did you mean 'ndjson'\?\)"):
        configured_sink(settings, "ndjsn")
