"""Our sinks by the table of tests/sinks/conformance.py. Elasticsearch is a double on loopback, asked by the real client."""

import os
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.pipeline.settings.blocks import Settings
from driftline.sinks import elasticsearch, ndjson
from driftline.sinks.base import Sink
from driftline.sinks.elasticsearch.sink import ElasticsearchSink
from driftline.sinks.module import SinkContext
from tests.live.certificates import Authority
from tests.sinks.conformance import CASES, Case, check
from tests.sinks.node import Node
from tests.sinks.node_server import Spoilt, spoilt

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


class Lines:
    """A file. `monkeypatch`: its disk."""

    impossible = {  # noqa: RUF012 - as the protocol has it
        "all rejected": "a file takes every line",
        "some rejected": "a file takes every line",
        "throttled": "a disk is there or not",
        "throttled with Retry-After": "a disk is there or not",
        "TLS failure": "no connection",
        "credentials expired and rotated": "no credentials",
    }

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self._sync = path, os.fsync
        self._times = 0
        monkeypatch.setattr(os, "fsync", self._failing)

    def sink(self) -> Sink:
        context = SinkContext("ndjson", Settings().kafka)
        return ndjson.create(ndjson.Settings(path=self.path), context)

    def fail(self, kind: str, times: int) -> None:
        assert kind in ("away", "silent")
        self._times = times

    def _failing(self, file: int) -> None:
        if self._times:
            self._times -= 1
            raise OSError(5, "Input/output error")
        self._sync(file)

    def refuse(self, ids: set[str]) -> None:
        raise NotImplementedError

    def rotate(self) -> None:
        raise NotImplementedError

    def transitions(self) -> Counter[str]:
        lines = [orjson.loads(line) for line in self.path.read_bytes().splitlines()]
        return Counter(f"{line['id']}:{line['revision']}" for line in lines)

    def standing(self) -> None:
        return None


class Elastic:
    """The double. Its password is in a file."""

    impossible: dict[str, str] = {}  # noqa: RUF012 - as the protocol has it

    def __init__(self, node: Node, server: Spoilt, folder: Path) -> None:
        self.node, self.server, self.file = node, server, folder / "password"
        self.server.password = "one"
        self.file.write_text("one")
        self.url = server.url

    def sink(self) -> Sink:
        settings: Any = {"url": self.url, "username": "me", "password_file": self.file}
        return ElasticsearchSink(elasticsearch.Settings(**settings))

    def fail(self, kind: str, times: int) -> None:
        if kind == "tls":
            self.url = self.server.url.replace("http:", "https:") if times else self.server.url
        elif kind == "credentials":
            self.server.password = "two"
        else:
            self.server.kind, self.server.times = kind, times

    def refuse(self, ids: set[str]) -> None:
        self.server.refused = ids

    def rotate(self) -> None:
        self.file.write_text("two")

    def transitions(self) -> Counter[str]:
        assert self.server.unknown == []
        return Counter(list(self.node.history))

    def standing(self) -> dict[str, int]:
        return {id: one["driftline"]["revision"] for id, one in self.node.documents.items()}


class Clients:
    """Two authorities; a server's context that trusts clients of one of them; the files of our certificate."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.other = Authority(folder, "ours"), Authority(folder, "other")
        self.certificate, self.key = folder / "mine.pem", folder / "mine.key"
        self._server = self.ours.sign("server", "127.0.0.1")

    def context(self, of: Authority) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=of.file)
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_cert_chain(*self._server)
        return made

    def write(self, of: Authority) -> None:
        """The key behind the certificate, as programs that rotate them do: between the two they do not belong together."""
        for made, file in zip(of.sign("client"), (self.certificate, self.key), strict=True):
            file.write_bytes(made.read_bytes())


class ElasticOverTls(Elastic):
    """The double behind TLS that asks for a client's certificate."""

    def __init__(self, node: Node, server: Spoilt, folder: Path, clients: Clients) -> None:
        super().__init__(node, server, folder)
        self.clients = clients
        self.trusted = clients.ours.file
        clients.write(clients.ours)

    def sink(self) -> Sink:
        settings: Any = {
            "url": self.url, "username": "me", "password_file": self.file, "ca_file": self.trusted,
            "certificate_file": self.clients.certificate, "key_file": self.clients.key,
        }  # fmt: skip
        return ElasticsearchSink(elasticsearch.Settings(**settings))

    def fail(self, kind: str, times: int) -> None:
        if kind == "tls":
            self.trusted = (self.clients.other if times else self.clients.ours).file
        elif kind == "credentials":
            self.server.context = self.clients.context(self.clients.other)
        else:
            super().fail(kind, times)

    def rotate(self) -> None:
        self.clients.write(self.clients.other)


@pytest.fixture
def elastic_over_tls(tmp_path: Path) -> Iterator[ElasticOverTls]:
    node, clients = Node(), Clients(tmp_path)
    with spoilt(node, context=clients.context(clients.ours)) as server:
        yield ElasticOverTls(node, server, tmp_path, clients)


@pytest.fixture
def elastic(tmp_path: Path) -> Iterator[Elastic]:
    node = Node()
    with spoilt(node) as server:
        yield Elastic(node, server, tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_elasticsearch(elastic: Elastic, case: Case) -> None:
    assert check(elastic, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_elasticsearch_over_tls(elastic_over_tls: ElasticOverTls, case: Case) -> None:
    assert check(elastic_over_tls, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ndjson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    subject = Lines(tmp_path / "lines.ndjson", monkeypatch)
    assert check(subject, case) != (case.name in subject.impossible)
