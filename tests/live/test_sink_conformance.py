"""The Elasticsearch sink by the table of tests/sinks/conformance.py, on a real node: behind a gate that spoils answers, and the
node itself killed and started again."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.local.elasticsearch import ElasticsearchServer
from driftline.sinks import elasticsearch
from driftline.sinks.base import Sink
from driftline.sinks.elasticsearch.sink import ElasticsearchSink
from tests.live.stage import Stage
from tests.sinks.conformance import CASES, Case, check
from tests.sinks.node import Node
from tests.sinks.node_server import Spoilt, spoilt
from tests.sinks.test_conformance import Elastic

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),  # a bulk is one
]


class RealElastic(Elastic):
    """A real node. It is away when it is killed; it comes back when the gate has cut as often as the case says."""

    def __init__(self, on: Stage, real: ElasticsearchServer, server: Spoilt, folder: Path) -> None:
        super().__init__(Node(), server, folder)  # the double is not asked
        self.on, self.real = on, real
        self._lock, self._next = threading.Lock(), server.next
        server.next = self._fault  # type: ignore[method-assign]

    def _fault(self) -> str:
        with self._lock:
            fault = self._next()
            if not fault and not self.real.child.running:
                self.real.start()
            return fault

    def sink(self) -> Sink:
        settings: Any = {"url": self.url, "username": "me", "password_file": self.file,
                         "namespace": self.on.settings.elasticsearch.namespace}  # fmt: skip
        return ElasticsearchSink(elasticsearch.Settings(**settings))

    def fail(self, kind: str, times: int) -> None:
        if kind == "away":
            self.real.kill()
        super().fail(kind, times)

    def transitions(self) -> Counter[str]:
        return Counter(self.on.shown()[1])

    def standing(self) -> dict[str, int]:
        return self.on.shown()[0]


@pytest.fixture
def subject(on: Stage, elastic: ElasticsearchServer, tmp_path: Path) -> Iterator[RealElastic]:
    with spoilt(None, elastic.url) as server:
        yield RealElastic(on, elastic, server, tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_elasticsearch(subject: RealElastic, case: Case) -> None:
    assert check(subject, case)
