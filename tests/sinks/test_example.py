"""The sink `example` by the table of tests/sinks/conformance.py. Its destination is a double on loopback."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.settings.blocks import Kafka
from driftline.sinks.base import Sink
from driftline.sinks.module import SinkContext
from tests.forward import Forwarder, serving
from tests.sinks import example
from tests.sinks.conformance import ASKED, CASES, Case, check

STATUS = {"throttled": 429, "asked": 429, "away": 503}


class ExampleServer(Forwarder):
    """Takes what it knows, and nothing else."""

    state: "ExampleDouble"

    def serve(self, body: bytes) -> None:
        state = self.state
        fault = state.next()
        if self.headers.get("Authorization") != f"Bearer {state.token}":
            return self.reply(401, [], b"no such token")
        if status := STATUS.get(fault):
            return self.reply(status, [("Retry-After", f"{ASKED:.0f}")] if fault == "asked" else [], b"later")  # fmt: skip
        document = json.loads(body)
        if document["id"] in state.refused:
            return self.reply(400, [], b"not taken")
        state.found.append(f"{document['id']}:{document['revision']}")
        return self.cut() if fault == "silent" else self.reply(200, [], b"{}")


class ExampleDouble:
    """The destination, as a test can spoil it."""

    impossible: dict[str, str] = {}  # noqa: RUF012 - as the protocol has it

    def __init__(self, folder: Path) -> None:
        self.url, self.file, self.token = "", folder / "token", "one"
        self.file.write_text("one")
        self.found, self.refused = list[str](), set[str]()
        self._kind, self._times, self._over_tls = "", 0, False

    def next(self) -> str:
        """The fault of the next request."""
        self._times = max(0, self._times - 1) if self._kind else 0
        kind, self._kind = self._kind, self._kind if self._times else ""
        return kind

    def sink(self) -> Sink:
        url = self.url.replace("http:", "https:") if self._over_tls else self.url
        settings: Any = {"url": url, "token_file": self.file}
        return example.create(example.Settings(**settings), SinkContext("example", Kafka()))

    def refuse(self, ids: set[str]) -> None:
        self.refused = ids

    def fail(self, kind: str, times: int) -> None:
        if kind == "tls":
            self._over_tls = times > 0
        elif kind == "credentials":
            self.token = "two"
        else:
            self._kind, self._times = kind, times

    def rotate(self) -> None:
        self.file.write_text("two")

    def transitions(self) -> Counter[str]:
        return Counter(self.found)

    def standing(self) -> None:
        return None


@pytest.fixture
def double(tmp_path: Path) -> Iterator[ExampleDouble]:
    state = ExampleDouble(tmp_path)
    with serving(ExampleServer, state=state) as state.url:
        yield state


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_example(double: ExampleDouble, case: Case) -> None:
    assert check(double, case)
