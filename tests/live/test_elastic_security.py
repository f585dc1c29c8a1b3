"""Elasticsearch with TLS and passwords, on a real node; with an API key, on a double."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson
import pytest
from pydantic import SecretStr

from driftline.pipeline.local import elasticsearch
from driftline.pipeline.local.packages import cache
from driftline.pipeline.local.process import answers, wait_until
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import FINDINGS, SNAPSHOTS
from driftline.sinks.base import Busy
from driftline.sinks.elasticsearch.render import ALIAS
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.sink import ElasticsearchSink, client
from tests.core.world import key, rulebook, value
from tests.live.certificates import Authority
from tests.live.programs import Site, Told

pytestmark = pytest.mark.live
PASSWORD = "of-elastic, 'quoted' ü"
API_KEY = "bm90LWEtcmVhbDprZXk="
NOW = 1_800_000_000_000_000


class Node(NamedTuple):
    """A real node that speaks TLS only, with a certificate for localhost, and its authorities."""

    port: int
    ca: Authority
    stranger: Authority

    def block(self, **more: Any) -> dict[str, Any]:
        own = {"url": f"https://localhost:{self.port}", "ca_file": str(self.ca.file), "username": "elastic",
               "password": PASSWORD}  # fmt: skip
        return own | more


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """Its folder must be one that nobody else's rights close: pytest's own is not."""
    with TemporaryDirectory(prefix="test-", dir=cache(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        ca, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
        certificate, secret = ca.sign("node", "localhost")
        server = elasticsearch.start(
            folder / "elasticsearch", secure=(certificate, secret, PASSWORD)
        )
        try:
            yield Node(server.port, ca, stranger)
        finally:
            server.kill()
            # its own child may still be ending, and would write into a folder that is being deleted
            wait_until(lambda: not answers(server.port), 20, what="the end of the node")


def refused(folder: Path, block: dict[str, Any]) -> str:
    """What `driftline sink elasticsearch --check` says of settings that do not fit."""
    with Site(folder, {"bootstrap_servers": "127.0.0.1:1"}, elasticsearch=block) as site:
        done = site.cli("sink", "elasticsearch", "--check")
    assert (done.code, len(done.problems)) == (2, 1)
    assert "wr0ng" not in done.problems[0]
    return done.problems[0]


def test_the_sink_installs_checks_and_writes_over_tls_with_a_password(
    node: Node, tmp_path: Path
) -> None:
    with Site(tmp_path, {"bootstrap_servers": "127.0.0.1:1"}, elasticsearch=node.block()) as site:
        missing = site.run("sink", "elasticsearch", "--check")
        assert (missing.code, "--install" in missing.out) == (2, True)
        assert site.cli("sink", "elasticsearch", "--install").code == 0
        assert site.cli("sink", "elasticsearch", "--check") == Told(0, "as it should be\n")
    fold = Fold(rulebook())
    fold.feed(SNAPSHOTS.name, value(key(0, rotation=False)))

    async def write() -> int:
        writer = ElasticsearchSink(ElasticsearchSettings(**node.block()))
        actions = [
            a
            for f in fold.findings.values()
            for a in writer.render(FINDINGS.name, orjson.loads(f), NOW)
        ]
        assert {receipt.kind for receipt in await writer.send(actions)} == {"done"}
        await writer.close()
        async with client(ElasticsearchSettings(**node.block())) as es:
            await es.indices.refresh(index=ALIAS)
            return int((await es.count(index=ALIAS))["count"])

    assert asyncio.run(write()) == len(fold.findings) > 0


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"password": "wr0ng-one"}, "(correct elasticsearch.username and password, or api_key)"),
        ({"username": None, "password": None, "api_key": "wr0ng-one"}, "(correct elasticsearch.username and password, or api_key)"),
        ({"ca_file": "STRANGER"}, "certificate verify failed"),
        ({"ca_file": None}, "(look at elasticsearch.ca_file;"),
        ({"url": "https://127.0.0.1:PORT"}, "does the certificate name the host of elasticsearch.url?)"),
        ({"url": "http://localhost:PORT", "ca_file": None}, "(is it running, and are the address and credentials right?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_told(
    node: Node, tmp_path: Path, more: dict[str, str | None], told: str
) -> None:
    if more.get("ca_file"):
        more = more | {"ca_file": str(node.stranger.file)}
    if more.get("url"):
        more = more | {"url": str(more["url"]).replace("PORT", str(node.port))}
    problem = refused(tmp_path, node.block(**more))
    assert problem.startswith("Elasticsearch at http")
    assert told in problem


async def test_a_running_sink_that_is_refused_waits_and_says_why(node: Node) -> None:
    for more, told in (
        ({"password": "changed"}, "elasticsearch.username, password or api_key"),
        ({"ca_file": str(node.stranger.file)}, "certificate verify failed"),
    ):
        fold = Fold(rulebook())
        fold.feed(SNAPSHOTS.name, value(key(0)))
        writer = ElasticsearchSink(ElasticsearchSettings(**node.block(**more)))
        try:
            actions = writer.render(
                FINDINGS.name, orjson.loads(next(iter(fold.findings.values()))), NOW
            )
            with pytest.raises(Busy, match=told):
                await writer.send(actions)
        finally:
            await writer.close()


@contextmanager
def double(folder: Path) -> Iterator[tuple[str, Authority]]:
    """A DOUBLE of a node that knows one API key (the packaged node lacks the module for them): health and refusals."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers.get("Authorization") == f"ApiKey {API_KEY}"
            reason = {"type": "security_exception", "reason": "unable to authenticate"}
            body = {"status": "green", "cluster_name": "double"} if good else {"error": reason, "status": 401}  # fmt: skip
            data = json.dumps(body).encode()
            self.send_response(200 if good else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Not a line for each request."""

    ca = Authority(folder, "authority")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.sign("double", "localhost"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://localhost:{server.server_port}", ca
    finally:
        server.shutdown()
        server.server_close()


def test_an_api_key_is_sent_as_such(tmp_path: Path) -> None:
    async def health(own: ElasticsearchSettings) -> str:
        async with client(own) as es:
            return str((await es.cluster.health())["status"])

    with double(tmp_path) as (url, ca):
        own = {"url": url, "ca_file": str(ca.file)}
        assert (
            asyncio.run(health(ElasticsearchSettings(**own, api_key=SecretStr(API_KEY)))) == "green"
        )
        told = refused(tmp_path, own | {"api_key": "wr0ng-one"})
    assert "(correct elasticsearch.username and password, or api_key)" in told
