"""How a sink reaches its destination: private authorities, client certificates, proxies; and when their files change."""

import asyncio
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from elastic_transport import AiohttpHttpNode
from pydantic import ValidationError

from driftline.pipeline.settings.connections import HttpSettings, Renewable
from driftline.sinks.base import Action, Busy, Receipt
from driftline.sinks.elasticsearch.render import ALIAS
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.sink import ElasticsearchSink
from tests.live.certificates import Authority
from tests.sinks.connect_proxy import proxying
from tests.sinks.node import Node
from tests.sinks.node_server import spoilt
from tests.sinks.test_conformance import Clients

ONE = Action("upsert", ALIAS, "f1", 1, {"driftline": {"revision": 1}})


def settings(**fields: Any) -> ElasticsearchSettings:
    return ElasticsearchSettings.model_validate(fields)


def send(sink: ElasticsearchSink, times: int = 1) -> list[Any]:
    """What each attempt came to."""

    async def run() -> list[Any]:
        out: list[Any] = []
        for _ in range(times):
            try:
                out += await sink.send([ONE])
            except Busy as why:
                out.append(str(why))
        await sink.close()
        return out

    return asyncio.run(run())


@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "TLS"])
def test_a_proxy_with_a_login_whose_password_is_rotated(tmp_path: Path, over_tls: bool) -> None:
    clients, node, file = Clients(tmp_path), Node(), tmp_path / "proxy-password"
    clients.write(clients.ours)
    file.write_text("old")
    context = clients.context(clients.ours) if over_tls else None
    certificates = {"certificate_file": clients.certificate, "key_file": clients.key, "ca_file": clients.ours.file}  # fmt: skip
    with spoilt(node, context=context) as server, proxying("me:näw") as proxy:
        sink = ElasticsearchSink(settings(
            url=server.url, proxy=proxy.url, proxy_username="me", proxy_password_file=file, **(certificates if over_tls else {}),
        ))  # fmt: skip
        file.write_text("näw")
        refused, done = send(sink, 2)
        assert "407" in refused
        assert done == Receipt("done")
        assert list(node.documents) == ["f1"]
        assert proxy.refused >= 1
        assert {one.partition(" ")[0] for one in proxy.passed} == {"CONNECT" if over_tls else "PUT"}
        assert {one.partition(" ")[2] for one in proxy.passed} == {server.url.rpartition("/")[2]}


def test_the_client_makes_its_sessions_as_we_know_it() -> None:
    """A private method of the client's library, which ours replaces."""
    assert [*signature(AiohttpHttpNode._create_aiohttp_session).parameters] == ["self"]
    assert {"_loop", "session"} <= set(AiohttpHttpNode._create_aiohttp_session.__code__.co_names)


def test_the_environment_s_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with spoilt(Node()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert send(ElasticsearchSink(settings(url=server.url))) == [Receipt("done")]


def test_without_its_certificate_or_with_another_authority_nothing_is_sent(tmp_path: Path) -> None:
    clients, node = Clients(tmp_path), Node()
    clients.write(clients.other)
    foreign = {"certificate_file": clients.certificate, "key_file": clients.key}
    with spoilt(node, context=clients.context(clients.ours)) as server:
        for more in ({}, foreign, {"ca_file": clients.other.file}):
            fields = {"url": server.url, "ca_file": clients.ours.file} | more
            [told] = send(ElasticsearchSink(settings(**fields)))
            assert isinstance(told, str)
    assert node.documents == {}


def test_files_are_read_again_when_all_of_them_have_changed(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    secret, certificate, key = (tmp_path / name for name in ("secret", "c.pem", "c.key"))
    secret.write_text("one")

    def write(of: Authority, *which: int) -> None:
        made = of.sign("client", password="pw")
        for one in which:
            (certificate, key)[one].write_bytes(made[one].read_bytes())

    write(ours, 0, 1)
    it = Renewable(HttpSettings.model_validate({
        "ca_file": ours.file, "certificate_file": certificate, "key_file": key, "key_password": "pw", "proxy": "http://p:1",
        "proxy_username": "me", "proxy_password_file": secret,
    }))  # fmt: skip
    assert it.renewed() is None
    secret.write_text("two")
    new = it.renewed()
    assert new is not None
    assert new.proxy_password is not None
    assert new.proxy_password.get_secret_value() == "two"
    assert it.renewed() is None
    write(other, 0)
    assert it.renewed() is None, "the key is not there yet"
    made = other.sign("client", password="pw")
    certificate.write_bytes(made[0].read_bytes())
    key.write_bytes(made[1].read_bytes())
    assert it.renewed() is it.settings
    assert it.renewed() is None
    key.unlink()
    assert it.renewed() is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"proxy": "socks5://p:1"}, "needs scheme, host and port"), ({"proxy": "http://p"}, "needs scheme, host and port"),
        ({"proxy": "http://u:p@p:1"}, "must not contain a user or password"), ({"proxy_username": "u", "proxy_password": "p"}, "needs proxy"),
        ({"proxy": "http://p:1", "proxy_username": "u"}, "need each other"), ({"ca_file": "/etc/hostname"}, "has no effect without TLS"),
        ({"url": "https://h:1", "ca_file": "/etc/hostname"}, "contains no certificates"),
        ({"url": "https://h:1", "key_file": "/etc/hostname"}, "needs certificate_file"),
        ({"url": "https://h:1", "certificate_file": "/etc/hostname"}, "cannot be used"),
    ],
)  # fmt: skip
def test_mistakes(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(**fields)
