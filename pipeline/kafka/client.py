"""confluent-kafka clients from a settings block, and the same block as plain data for aiokafka (driftline.pipeline.worker)."""

import re
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from confluent_kafka import (
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from driftline.pipeline.common import limits
from driftline.pipeline.common.errors import NotThere, Problem, Undelivered, UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.kafka import aws_iam
from driftline.pipeline.kafka.retries import TIMEOUT, Retrying, answer, retriable, retrying, to_end
from driftline.pipeline.records.topics import looking
from driftline.pipeline.settings.blocks import Kafka

NOWHERE = (KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART)  # noqa: SLF001 # fmt: skip
DENIED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)  # fmt: skip
LOOK = 0.5
CALLBACKS = {"error_cb": "error_cb"}
"""librdkafka settings whose names contain no dots, and remain unchanged."""
AWAY = 8.0
"""Seconds after which brokers that have not answered are reported as unreachable."""
STEP = "check that it is running, that the address is right, and that kafka.security_protocol and the credentials match"
DOCTOR = "driftline doctor"
SILENT = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT)  # noqa: SLF001 - their public names
TRIED = re.compile(
    r"^\S+/(?:bootstrap|\d+): |Connect to \S+ failed: |^Failed to get [a-z ]+: | \(after \d+ms in state \w+\)"
)
"""How librdkafka identifies the connection in an error."""
__all__ = [
    "TIMEOUT", "Delivery", "admin", "answer", "consumer", "explained", "flush", "librdkafka", "produce", "producer", "reached",
    "read_all", "read_compacted", "retriable", "retrying", "starts", "tls", "to_end",
]  # fmt: skip
ISSUER_AWAY = re.compile("could ?n.t connect|failed to connect|could not connect|could ?n.t resolve|could not resolve|timed out|timeout", re.I)  # fmt: skip
"""Errors of a token endpoint that does not answer; librdkafka reports them as failed authentication."""


def librdkafka(kafka: Kafka, **more: Any) -> dict[str, Any]:
    """The settings as librdkafka names them; `more` in its names with _ for dots. Raises UserError where there is no token by
    AWS IAM."""
    config: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": kafka.sasl_username,
        "sasl.password": kafka.sasl_password and kafka.sasl_password.get_secret_value(),
        "ssl.ca.location": _path(kafka.ca_file),
        "ssl.certificate.location": _path(kafka.certificate_file),
        "ssl.key.location": _path(kafka.key_file or kafka.certificate_file),  # both may be in one
        "ssl.key.password": kafka.key_password and kafka.key_password.get_secret_value(),
        "log_level": 2,  # failures are raised, or logged by Driftline
    }
    if kafka.oauth and kafka.sasl_mechanism == "OAUTHBEARER":
        secret = kafka.oauth.client_secret
        config |= {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": kafka.oauth.token_url,
            "sasl.oauthbearer.client.id": kafka.oauth.client_id,
            "sasl.oauthbearer.client.secret": secret and secret.get_secret_value(),
            "sasl.oauthbearer.scope": kafka.oauth.scope or None,
            # the built-in path of its HTTP client is that of one distribution
            "https.ca.location": _path(kafka.oauth.ca_file) or "probe",
        }
    if kafka.aws_iam:
        iam = kafka.aws_iam
        aws_iam.token(
            iam
        )  # what is wrong with it is told here: a client only says that it has waited
        config["oauth_cb"] = lambda _: aws_iam.token(iam)
    config |= {CALLBACKS.get(name) or name.replace("_", "."): value for name, value in more.items()}
    return {name: value for name, value in config.items() if value is not None}


def _path(path: Path | None) -> str | None:
    return str(path) if path else None


def tls(kafka: Kafka) -> ssl.SSLContext | None:
    """The TLS context for aiokafka; None without TLS."""
    if not kafka.encrypted:
        return None
    context = ssl.create_default_context(cafile=kafka.ca_file)
    if kafka.certificate_file:
        password = kafka.key_password.get_secret_value() if kafka.key_password else None
        context.load_cert_chain(kafka.certificate_file, kafka.key_file, password)
    return context


def producer(kafka: Kafka, **more: Any) -> Producer:
    """An idempotent producer that waits for all replicas."""
    defaults = {
        "enable_idempotence": True, "acks": "all", "linger_ms": 5, "compression_type": "lz4",
        "batch_size": 500_000, "message_max_bytes": limits.RECORD, "partitioner": "murmur2_random",
    }  # fmt: skip
    return Producer(librdkafka(kafka, **(defaults | more)))


def consumer(kafka: Kafka, group: str, **more: Any) -> Consumer:
    """A consumer that commits only on request and retries after retriable errors."""
    defaults = {"group_id": group, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    return cast(Consumer, Retrying(Consumer(librdkafka(kafka, **(defaults | more)))))


def admin(kafka: Kafka) -> AdminClient:
    """An admin client that retries after retriable errors; for its futures see driftline.pipeline.kafka.retries.answer."""
    return cast(AdminClient, Retrying(AdminClient(librdkafka(kafka))))


def reached(kafka: Kafka, seconds: float = AWAY) -> AdminClient:
    """An admin client that is connected to the brokers. Raises NotThere if they do not answer, UserError if they reject the connection:
    librdkafka itself reports a rejection only in a callback, and retries until the time-out."""
    told: list[KafkaError] = []
    client = AdminClient(librdkafka(kafka) | {"error_cb": told.append})
    end = time.monotonic() + seconds
    while True:
        try:
            client.list_topics(timeout=max(0.05, min(LOOK, end - time.monotonic())))
        except KafkaException as error:
            client.poll(0)
            refused = [one for one in told if _refuses(one)]
            if refused:  # others may still answer; do not wait long
                end = min(end, time.monotonic() + LOOK)
            if time.monotonic() >= end:
                if refused:
                    text = refused[-1].str()
                    kind = NotThere if ISSUER_AWAY.search(text) else UserError
                    raise kind(_refusal(kafka, text)) from None
                raise NotThere(_silence(kafka, [*told, error.args[0]])) from None
        else:
            return cast(AdminClient, Retrying(client))


def _refuses(error: KafkaError) -> bool:
    own = error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL)  # noqa: SLF001 - their public names
    return own or "SSL routines" in error.str()


def _refusal(kafka: Kafka, text: str) -> Problem:
    reason = re.sub(
        r"^\w+://\S+: |\(after \d+ms in state \w+\)|, verify that ssl\.ca\.location .*", "", text
    )
    if kafka.aws_iam and "SSL routines" not in text:
        look = "kafka.aws_iam: region and role_arn, the AWS credentials of this machine, and what they may do at the cluster"
    elif kafka.sasl_mechanism == "OAUTHBEARER" and "SSL routines" not in text:
        look = "kafka.oauth: token_url, client_id, client_secret, scope and ca_file"
    elif "certificate verify failed" in text:
        look = "kafka.ca_file; and whether the brokers' certificates name the hosts in kafka.bootstrap_servers"
    elif " alert " in text:
        look = "kafka.certificate_file and kafka.key_file: the brokers require a certificate that they trust"
    elif "SSL" in text and "SASL" not in text:
        look = "kafka.security_protocol and kafka.ca_file"
    else:
        look = "kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password"
    return Problem(
        f"Kafka at {kafka.bootstrap_servers} rejected the connection: {reason.strip()}",
        fix=f"look at {look}",
    )


def _silence(kafka: Kafka, told: list[KafkaError]) -> Problem:
    see = ""
    why = next((e for e in told if e.code() != KafkaError._ALL_BROKERS_DOWN), told[-1])  # noqa: SLF001 - its public name
    if why.code() in NOWHERE:
        step = f"a topic of {kafka.topic_prefix}* is missing; run: driftline topics create, or correct kafka.topic_prefix"
    elif why.code() in DENIED:
        step = "this user is not authorized; driftline permissions kafka prints the ACLs needed"
    else:
        step, see = STEP, DOCTOR
    text = TRIED.sub("", why.str())
    if why.code() in SILENT and text == KafkaError(why.code()).str():  # it adds nothing to the code
        text = "no answer"
    elif why.code() in NOWHERE:
        text = "unknown topic"
    return Problem(text, step, f"Kafka at {kafka.bootstrap_servers}", see=see)


@contextmanager
def explained(kafka: Kafka) -> Iterator[None]:
    """Turns a broker's silence or rejection into an error with the next step."""
    try:
        yield
    except KafkaException as error:
        away = retriable(error.args[0])
        if away:
            reached(kafka, 4 * LOOK)  # determines whether silence means rejection
        # a broker that just started may not know its topics yet
        kind = NotThere if away or error.args[0].code() in NOWHERE else UserError
        raise kind(_silence(kafka, [error.args[0]])) from None
    except Undelivered as error:
        where = f"Kafka at {kafka.bootstrap_servers}"
        raise NotThere(error, fix=STEP, place=where, see=DOCTOR) from None


def read_all(
    kafka: Kafka, topic: str, start: Mapping[int, int] | None = None
) -> Generator[Any, None, None]:
    """Every message up to the current end, in any order of partitions. `start`: the partitions, each with its first offset;
    None for all from the oldest. Raises KafkaException, also if the brokers stop answering."""
    reader = consumer(
        kafka, looking(), enable_partition_eof=True, fetch_wait_max_ms=50
    )  # an empty fetch reports the end
    try:
        known = reached(kafka).list_topics(topic, TIMEOUT).topics[topic]
        if known.error is not None:  # report an outage or a missing topic instead of waiting
            raise KafkaException(known.error)
        start = dict.fromkeys(known.partitions, 0) if start is None else start
        yield from to_end(reader, topic, start)
    finally:
        reader.close()


def starts(
    kafka: Kafka, topic: str, partitions: Iterable[int], since: datetime | None
) -> dict[int, int]:
    """Each partition's first offset at or after a time; partitions without one are omitted."""
    if since is None:
        return dict.fromkeys(partitions, 0)
    reader = consumer(kafka, looking())
    try:
        at = int(since.timestamp() * 1000)
        found = reader.offsets_for_times(
            [TopicPartition(topic, number, at) for number in partitions], TIMEOUT
        )
        return {one.partition: one.offset for one in found if one.offset >= 0}
    finally:
        reader.close()


def read_compacted(kafka: Kafka, topic: str) -> dict[bytes, bytes]:
    """The latest value of each key, without deleted keys."""
    out: dict[bytes, bytes] = {}
    for message in read_all(kafka, topic):
        if message.key() is None:
            continue
        if message.value() is None:
            out.pop(message.key(), None)
        else:
            out[message.key()] = message.value()
    return out


class Delivery:
    """Delivery reports: collects the messages that the broker rejected."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.broker_ms: int | None = None
        """The broker's time of the last delivery, if the topic uses LogAppendTime."""

    def __call__(self, error: KafkaError | None, message: Any) -> None:
        if error is None:
            kind, at = message.timestamp()
            # (librdkafka puts the record's flag in the place of the type)
            own = kind in (TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE)
            self.broker_ms = self.broker_ms if own else at
        else:
            self.failed.append(f"{message.topic()}[{message.partition()}]: {error.str()}")


def produce(
    producer: Producer, delivered: Callable[..., None], topic: str, value: bytes | None, **more: Any
) -> None:
    """Queues a message; blocks while the producer's queue is full."""
    while True:
        try:
            return producer.produce(topic, value, on_delivery=delivered, **more)
        except BufferError:
            producer.poll(0.1)


def flush(producer: Producer, delivered: Delivery, seconds: float) -> None:
    """Waits until every message is delivered. Raises Undelivered if some are not."""
    left = producer.flush(seconds)
    problems = []
    if left:
        problems.append(
            Problem(f"{number_of(left, 'message')} not delivered within {seconds:.0f} s")
        )
    if delivered.failed:
        problems.append(
            Problem(
                f"{number_of(len(delivered.failed), 'message')} refused, the first: "
                f"{delivered.failed[0]}"
            )
        )
    if problems:
        raise Undelivered("; ".join(problems))
