"""The sink of CONTRIBUTING.md, as it stands there, plugged in from outside and run through the suite."""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import orjson
import pytest

from driftline.pipeline.common import plugins
from driftline.pipeline.settings import sinks as sinks_settings
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks import installed
from driftline.sinks.base import Sink
from driftline.sinks.configured import ConfiguredSink, configured
from tests.sinks.conformance import CASES, Case, check

ROOT = Path(__file__).parent.parent.parent
CACHES = (plugins.installed, installed.module, sinks_settings._entry)


def recipe() -> tuple[str, str]:
    """Its name as the entry point says it, and its module."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## A sink\n")[2]
    [(name, module)] = re.findall(r'sinks"\]\n(\w+) = "(\w+)"\n', text.partition("\n## ")[0])
    [code] = re.findall(r"```python\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)
    made = ModuleType(module)
    sys.modules[module] = made
    exec(code, made.__dict__)
    return name, module


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name, module = recipe()
    ours = entry_points(group=installed.GROUP)
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [*ours, EntryPoint(name, module, group)]
    )
    for cached in CACHES:
        cached.cache_clear()
    yield name
    monkeypatch.undo()
    del sys.modules[module]
    for cached in CACHES:
        cached.cache_clear()


class Folder:
    """A folder that can be away. Of what happened before what stands, it keeps nothing."""

    impossible = {  # noqa: RUF012 - as the protocol has it
        "all rejected": "a folder takes every file", "some rejected": "a folder takes every file",
        "throttled": "a disk is there or not", "throttled with Retry-After": "a disk is there or not",
        "time-out with unknown outcome": "a write answers", "TLS failure": "no connection",
        "credentials expired and rotated": "no credentials",
    }  # fmt: skip

    def __init__(self, sink: ConfiguredSink, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sink, self._path, self._patch, self._times = sink, path, monkeypatch, 0

    def sink(self) -> Sink:
        made = self._sink.created()
        done = made._done  # type: ignore[attr-defined]

        def failing(action: object) -> object:
            if self._times:
                self._times -= 1
                raise OSError(5, "Input/output error")
            return done(action)

        self._patch.setattr(made, "_done", failing, raising=False)
        return made

    def fail(self, kind: str, times: int) -> None:
        assert kind == "away"
        self._times = times

    def refuse(self, ids: set[str]) -> None:
        raise NotImplementedError

    def rotate(self) -> None:
        raise NotImplementedError

    def transitions(self) -> Counter[str] | None:
        return None

    def standing(self) -> dict[str, int]:
        files = [orjson.loads(file.read_bytes()) for file in self._path.glob("*.json")]
        return {one["id"]: one["revision"] for one in files}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_works(
    plugged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    folder = tmp_path / "findings"
    folder.mkdir()
    entry = {"name": "mine", "kind": plugged, "path": str(folder)}
    [sink] = configured(Settings.model_validate({"sinks": [entry]}))
    assert (sink.name, sink.module.kind) == ("mine", plugged)
    subject = Folder(sink, folder, monkeypatch)
    assert check(subject, case) != (case.name in subject.impossible)
    assert asyncio.run(sink.check()) is None, "it says nothing of its destination"
