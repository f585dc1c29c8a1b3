"""What is installed as a sink: ours as registered, others by their entry points, and what is none."""

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from driftline.pipeline.common import plugins
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.settings.blocks import Settings, examine, load_settings, shown
from driftline.pipeline.settings.warnings import warnings
from driftline.sinks import elasticsearch, installed, jira, ndjson
from driftline.sinks.configured import configured, configured_sink, kind_of
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
OURS: tuple[Any, ...] = (elasticsearch, jira, ndjson)
ALL = (Checks, Installs, Explains, Examined, Permitted, Searched)


class Foreign(SinkSettings):
    room: str = "general"


def create(settings: Foreign, context: SinkContext) -> object:
    return SimpleNamespace(settings=settings, context=context)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """Modules of another package by the names of their entry points, beside ours."""
    named: dict[str, object] = {}
    ours = entry_points(group=installed.GROUP)
    module = ModuleType("elsewhere")
    module.__getattr__ = named.__getitem__  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "elsewhere", module)

    def found(group: str) -> list[EntryPoint]:
        return [*ours, *(EntryPoint(name, f"elsewhere:{name}", group) for name in named)]

    monkeypatch.setattr(plugins, "entry_points", found)
    for cached in (plugins.installed, installed.module):
        cached.cache_clear()
    yield named
    monkeypatch.undo()
    for cached in (plugins.installed, installed.module):
        cached.cache_clear()


def test_ours_are_those_that_are_registered() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    registered = tomllib.loads(text)["project"]["entry-points"][installed.GROUP]
    assert registered == {module.kind: module.__name__ for module in OURS}
    assert set(registered) <= set(installed.kinds())


@pytest.mark.parametrize("module", OURS, ids=lambda module: module.kind)
def test_ours_are_modules_of_sinks(module: Any) -> None:
    assert id(installed.module(module.kind)) == id(module)
    assert issubclass(module.Settings, SinkSettings)


def test_what_ours_are_capable_of() -> None:
    assert [isinstance(elasticsearch, one) for one in ALL] == [True] * 6
    assert [isinstance(ndjson, one) for one in ALL] == [False] * 6


def test_one_of_another_package(others: dict[str, object]) -> None:
    others["pager"] = SimpleNamespace(kind="pager", Settings=Foreign, topics=(FINDINGS,), references=False, create=create)  # fmt: skip
    assert installed.kinds() == ["elasticsearch", "jira", "ndjson", "pager"]
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


def entries(*some: dict[str, Any], **more: Any) -> Settings:
    return Settings.model_validate({"sinks": list(some), **more})


def test_several_of_a_kind_by_name() -> None:
    settings = entries(
        {"name": "soc", "kind": "elasticsearch", "url": "http://a:1", "match": "severity == 'high'", "start": "now"},
        {"name": "archive", "kind": "elasticsearch", "url": "http://b:2", "namespace": "old"},
        {"name": "lines", "kind": "ndjson", "path": "x"}, ndjson={"path": "y"},
    )  # fmt: skip
    found = {one.name: one for one in configured(settings)}
    assert list(found) == ["ndjson", "soc", "archive", "lines"]
    assert isinstance(found["soc"].settings, elasticsearch.Settings)
    assert (found["soc"].settings.url, found["soc"].subscription.start) == ("http://a:1", "now")
    assert found["soc"].subscription.match is not None
    assert [found[name].context.given(FINDINGS.name, {"rule": {"severity": "low"}}) is not None for name in ("soc", "archive")] == [False, True]  # fmt: skip
    assert kind_of("lines") is None, "of the settings in force, which have none"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{kind: ndjson}", "sinks.0.name: is missing"),
        ("{name: a}", "sinks.0.kind: is missing"),
        ("{name: a, kind: ndjsn}", r"sinks.0: kind: unknown kind of sink \(did you mean 'ndjson'"),
        ("{name: a, kind: ndjson, pth: x}", "unknown setting"),
        ("{name: A B, kind: ndjson}", "sinks.0.name: must be 1 to 63 lower-case"),
        ("{name: a, kind: ndjson, start: then}", "sinks.0.start: must be 'all' or 'now'"),
        ("{name: a, kind: ndjson, match: severities == 'x'}", r"sinks.0.match: column 1: undeclared reference to 'severities'.*did you mean 'severity'"),
        ("{name: a, kind: ndjson, match: severity}", "sinks.0.match: column 1: gives string"),
        ("{name: a, kind: elasticsearch, username: me}", "sinks.0.username: requires password"),
        ("{name: a, kind: ndjson}, {name: a, kind: elasticsearch}", "two sinks are named a"),
        ("{name: elasticsearch, kind: ndjson}", "is the name of another kind"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path: Path, written: str, told: str) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text(f"sinks: [{written}]\n")
    with pytest.raises(UserError, match=told) as error:
        load_settings(path, {})
    assert all(problem.startswith(f"{path}:1:") for problem in error.value.problems)


def test_an_old_block_and_an_entry_of_one_name_are_two_ways() -> None:
    with pytest.raises(ValueError, match="is also a block of that name"):
        entries({"name": "ndjson", "kind": "ndjson"}, ndjson={"path": "y"})


def test_secrets_of_entries_are_secret(tmp_path: Path) -> None:
    entry = {"name": "soc", "kind": "elasticsearch", "username": "me", "password": "hunter2"}
    settings = entries(entry)
    assert "hunter2" not in shown(settings) + repr(settings)
    assert "url: http://127.0.0.1:9200" in shown(settings)
    path = tmp_path / "driftline.yaml"
    path.write_text(
        "sinks: [{name: soc, kind: elasticsearch, url: 'http://far:1', username: me, password: hunter2}]\n"
    )
    path.chmod(0o644)
    told = "\n".join(warnings(examine(path, {})))
    assert "this file contains a secret" in told
    assert "sinks.0.url: secrets are sent unencrypted" in told
    assert "hunter2" not in told
