"""Login by AWS IAM, through both clients, on a real broker with OAUTHBEARER. The broker knows nothing of AWS: in the signer's place
an issuer makes tokens that it takes. How they are asked for, refreshed and refused is the clients' own."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider as Signer

from driftline.pipeline.common.errors import NotThere, UserError
from driftline.pipeline.kafka import aws_iam, topics_admin
from driftline.pipeline.kafka.client import (
    Delivery,
    admin,
    consumer,
    flush,
    produce,
    producer,
    reached,
    read_all,
)
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.settings.blocks import Kafka
from tests.live import oidc
from tests.live.listeners import PASSWORD, TOPIC, USER, Secured, secured
from tests.live.test_security import as_faust, running

pytestmark = pytest.mark.live
IAM = {"region": "eu-west-1"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as found:
        yield found


class Signing:
    """In the signer's place."""

    def __init__(self, issuer: oidc.Issuer) -> None:
        self.issuer, self.asked, self.lifetime = issuer, list[str](), 300
        self.answer: Exception | None = None

    def token(self, region: str, *rest: object) -> tuple[str, int]:
        self.asked.append(region)
        if self.answer is not None:
            raise self.answer
        self.issuer.lifetime = self.lifetime
        who = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        _status, given = self.issuer.token(f"Basic {who}", {"grant_type": ["client_credentials"], "scope": [oidc.SCOPE]})  # fmt: skip
        claims = given["access_token"].split(".")[1]
        ends = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return given["access_token"], ends * 1000


@pytest.fixture
def signing(broker: Secured, monkeypatch: pytest.MonkeyPatch) -> Signing:
    mine = Signing(broker.issuer)
    monkeypatch.setattr(aws_iam, "_made", {})
    monkeypatch.setattr(Signer, "generate_auth_token", mine.token)
    monkeypatch.setattr(Signer, "generate_auth_token_from_role_arn", mine.token)
    return mine


def block(broker: Secured, **more: Any) -> Kafka:
    return Kafka(**broker.at("sasl", sasl_mechanism="OAUTHBEARER", aws_iam=IAM | more))


async def test_both_clients_write_and_read(broker: Secured, signing: Signing) -> None:
    kafka = block(broker)

    def write() -> list[bytes]:
        out, delivery = producer(kafka), Delivery()
        produce(out, delivery, TOPIC, b"confluent by IAM")
        flush(out, delivery, 20)
        return [m.value() for m in read_all(kafka, TOPIC)]

    assert (await asyncio.to_thread(write))[-1] == b"confluent by IAM"
    async with running(AIOKafkaProducer(**as_faust(kafka))) as out:
        await out.send_and_wait(TOPIC, b"aiokafka by IAM")
    read = await asyncio.to_thread(lambda: [m.value() for m in read_all(kafka, TOPIC)])
    assert read[-2:] == [b"confluent by IAM", b"aiokafka by IAM"]
    assert TOPIC in await asyncio.to_thread(lambda: admin(kafka).list_topics(timeout=10).topics)
    assert TOPIC in await asyncio.to_thread(lambda: reached(kafka).list_topics(timeout=10).topics)
    assert set(signing.asked) == {"eu-west-1"}


def test_tokens_are_made_anew_before_they_end(broker: Secured, signing: Signing) -> None:
    """librdkafka refreshes at 80 % of the lifetime, where the program polls: as sinks and collectors do."""
    signing.lifetime = 5
    kafka = block(broker)
    reader, out, delivery = consumer(kafka, "iam"), producer(kafka), Delivery()
    try:
        reader.subscribe([TOPIC])
        began = len(signing.asked)

        def polled() -> bool:
            reader.poll(0.1)
            out.poll(0)
            return len(signing.asked) >= began + 2

        wait_until(polled, 30, None, "two refreshes")
        produce(out, delivery, TOPIC, b"after the first token's end")
        flush(out, delivery, 20)
    finally:
        reader.close()


async def test_what_cannot_sign_says_so(broker: Secured, signing: Signing) -> None:
    for answer, why in ((ValueError("AWS Credentials can not be empty"), "can not be empty"), (AttributeError(), "no AWS credentials were found")):  # fmt: skip
        signing.answer = answer
        aws_iam._made.clear()
        kafka = block(broker)
        with pytest.raises(UserError) as told:
            await asyncio.to_thread(topics_admin.check, kafka)
        assert why in str(told.value)
        assert "look at kafka.aws_iam" in str(told.value)
        with pytest.raises(KafkaError):
            async with running(AIOKafkaProducer(request_timeout_ms=3000, **as_faust(kafka))):
                pass


def test_tokens_are_shared_by_the_clients_of_a_process(broker: Secured, signing: Signing) -> None:
    kafka = block(broker)
    for _ in range(3):
        admin(kafka).list_topics(timeout=10)
    assert len(signing.asked) == 1


async def test_a_token_that_the_broker_refuses(broker: Secured, signing: Signing, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(Signer, "generate_auth_token", lambda _: ("bm90LWEtand0", 4_000_000_000_000))  # fmt: skip
    with pytest.raises(UserError) as told:
        await asyncio.to_thread(topics_admin.check, block(broker))
    assert not isinstance(told.value, NotThere)
    assert "look at kafka.aws_iam" in str(told.value)
