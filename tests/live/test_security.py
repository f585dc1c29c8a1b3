"""One settings block, two Kafka clients: every way to connect, on a real broker, as producers, consumers and worker use it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from driftline.pipeline.common.errors import NotThere, UserError
from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.client import Delivery, admin, flush, produce, producer, read_all
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.records.topics import SNAPSHOTS, partition, topics_of
from driftline.pipeline.settings.blocks import Kafka
from driftline.pipeline.worker.credentials import Tokens, credentials
from tests.core.world import UID, key, value
from tests.live.listeners import PASSWORD, PLAIN, TOPIC, USER, Secured, secured
from tests.live.programs import Site

pytestmark = pytest.mark.live
Block = Callable[[Secured], dict[str, Any]]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as found:
        yield found


def sasl(mechanism: str, password: str = PASSWORD, listener: str = "sasl", **more: Any) -> Block:
    own = {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password": password}
    return lambda on: on.at(listener, **(own | more))


def oauth(**more: Any) -> Block:
    return lambda on: on.at("sasl", sasl_mechanism="OAUTHBEARER", oauth=on.oauth(**more))


WAYS: dict[str, Block] = {
    "TLS": lambda on: on.at("tls"),
    "TLS, our certificate wanted": lambda on: on.at("mutual"),
    "SASL_SSL PLAIN": sasl("PLAIN", PLAIN[1]),
    "SASL_SSL SCRAM-SHA-256": sasl("SCRAM-SHA-256"),
    "SASL_SSL SCRAM-SHA-512": sasl("SCRAM-SHA-512"),
    "SASL_SSL OAUTHBEARER": oauth(),
    "SASL_PLAINTEXT PLAIN": sasl("PLAIN", PLAIN[1], "clear"),
    "SASL_PLAINTEXT SCRAM-SHA-256": sasl("SCRAM-SHA-256", listener="clear"),
}

REFUSED: dict[str, tuple[Block, str]] = {
    "PLAIN, wrong password": (sasl("PLAIN", "wr0ng-one"), "kafka.sasl_password"),
    "SCRAM-SHA-256, wrong password": (sasl("SCRAM-SHA-256", "wr0ng-one"), "kafka.sasl_password"),
    "SCRAM-SHA-512, wrong password": (sasl("SCRAM-SHA-512", "wr0ng-one"), "kafka.sasl_password"),
    "a mechanism that is not there": (sasl("SCRAM-SHA-512", listener="clear"), "kafka.sasl_mechanism"),
    "OAUTHBEARER, wrong secret": (oauth(client_secret="wr0ng-one"), "kafka.oauth: token_url, client_id"),
    "OAUTHBEARER, issuer of another authority": (
        lambda on: oauth(ca_file=str(on.stranger.file))(on), "kafka.oauth: token_url, client_id",
    ),
    "another authority": (lambda on: on.at("tls", ca_file=str(on.stranger.file)), "kafka.ca_file"),
    "authorities of the system": (lambda on: on.at("tls", ca_file=None), "kafka.ca_file"),
    "a certificate for another host": (lambda on: on.at("foreign"), "name the hosts in kafka.bootstrap_servers"),
    "no certificate of ours": (
        lambda on: on.at("mutual", certificate_file=None, key_file=None, key_password=None), "kafka.certificate_file",
    ),
    "a certificate of ours that nobody knows": (
        lambda on: on.at("mutual", **_strange(on), key_password=None), "kafka.certificate_file",
    ),
}  # fmt: skip


def _strange(on: Secured) -> dict[str, str]:
    certificate, key = on.stranger.sign("strange-client")
    return {"certificate_file": str(certificate), "key_file": str(key)}


@asynccontextmanager
async def running(client: Any) -> AsyncIterator[Any]:
    """An aiokafka client, started; it ends with the block, started or not."""
    try:
        await client.start()
        yield client
    finally:
        await client.stop()


def as_faust(kafka: Kafka) -> dict[str, Any]:
    """What the worker's Faust gives to aiokafka."""
    return {"bootstrap_servers": kafka.bootstrap_servers, **credentials_to_aiokafka_auth(credentials(kafka))}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_both_clients_write_and_read(broker: Secured, way: str) -> None:
    kafka = Kafka(**WAYS[way](broker))
    ours, theirs = f"confluent {way}".encode(), f"aiokafka {way}".encode()

    def write() -> None:
        out, delivery = producer(kafka), Delivery()
        produce(out, delivery, TOPIC, ours)
        flush(out, delivery, 20)

    await asyncio.to_thread(write)
    async with running(AIOKafkaProducer(**as_faust(kafka))) as out:
        await out.send_and_wait(TOPIC, theirs)
    read = await asyncio.to_thread(lambda: [m.value() for m in read_all(kafka, TOPIC)])
    assert read[-2:] == [ours, theirs]
    seen = []
    async with running(AIOKafkaConsumer(auto_offset_reset="earliest", **as_faust(kafka))) as reader:
        reader.assign([TopicPartition(TOPIC, 0)])
        async with asyncio.timeout(20):
            while theirs not in seen:
                seen.append((await reader.getone()).value)
    assert seen[-2:] == [ours, theirs]
    known = await asyncio.to_thread(lambda: admin(kafka).list_topics(timeout=10).topics)
    assert TOPIC in known


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # aiokafka drops what was refused
@pytest.mark.parametrize("way", REFUSED)
async def test_both_clients_are_refused_and_ours_says_what_to_look_at(
    broker: Secured, way: str
) -> None:
    block, look = REFUSED[way]
    kafka = Kafka(**block(broker))
    with pytest.raises(UserError) as told:
        await asyncio.to_thread(topics_admin.check, kafka)
    assert not isinstance(told.value, NotThere)  # no other start mends that
    assert " rejected the connection: " in str(told.value)
    assert look in str(told.value)
    assert "wr0ng" not in str(told.value)
    with pytest.raises(KafkaError):
        async with running(AIOKafkaProducer(request_timeout_ms=3000, **as_faust(kafka))):
            pass
    gc.collect()  # here, not in another test


def test_an_issuer_that_does_not_answer_may_come_back(broker: Secured) -> None:
    kafka = Kafka(**oauth(token_url="https://localhost:9/token")(broker))
    with pytest.raises(NotThere, match=r"look at kafka\.oauth"):
        topics_admin.check(kafka)


async def test_a_token_is_kept_until_shortly_before_its_end(broker: Secured) -> None:
    own = Kafka(**oauth()(broker)).oauth
    assert own is not None
    before = broker.issuer.given
    tokens = Tokens(own)
    assert len({await tokens.token() for _ in range(3)}) == 1
    assert broker.issuer.given == before + 1
    broker.issuer.lifetime = 29
    try:
        short = Tokens(own)
        for _ in range(3):
            await short.token()
    finally:
        broker.issuer.lifetime = 300
    assert broker.issuer.given == before + 4


@pytest.mark.parametrize("command", [("topics", "check"), ("worker",), ("coverage",)])
def test_a_command_that_is_refused_says_so_and_ends_with_2(
    broker: Secured, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with Site(tmp_path, sasl("SCRAM-SHA-512", "wr0ng-one")(broker)) as site:
        done = site.run(*command, DRIFTLINE_WORKER__STATE_DIR=str(tmp_path))
    assert done.code == 2
    assert done.out.startswith("error: Kafka at localhost:")
    assert "(look at kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password)" in done.out
    assert "wr0ng" not in done.out
    assert "Traceback" not in done.out


@pytest.mark.parametrize("way", ["SASL_SSL SCRAM-SHA-512", "SASL_SSL OAUTHBEARER"])
def test_a_worker_judges_over_a_secured_connection_and_makes_no_topic(
    broker: Secured, tmp_path: Path, way: str
) -> None:
    app = way.split()[1].lower()
    uid = f"{UID}-{app}"
    with Site(tmp_path, WAYS[way](broker), worker={"app_id": app}) as site:
        assert site.run("topics", "create").code == 0
        before = _topics(site.kafka)
        assert {topic.name for topic in topics_of(app)} <= before
        own = site.worker()
        wait_until(own.ready, 60, own.child, "the worker")
        site.say(SNAPSHOTS.name, value(key(0, rotation=False, uid=uid)), partition=partition(uid))
        wait_until(lambda: "open" in _said(site, uid), 30, own.child, "the finding")
        assert own.child.stop() < 5
        assert _topics(site.kafka) == before
        assert PASSWORD not in own.child.log.read_text()


def _topics(kafka: Kafka) -> set[str]:
    """Every topic, less those that brokers make for their own use."""
    names = admin(kafka).list_topics(timeout=10).topics
    return {name for name in names if not name.startswith("__")}


def _said(site: Site, uid: str) -> list[str]:
    return [f["status"] for f in site.findings().values() if f["resource"]["uid"] == uid]
