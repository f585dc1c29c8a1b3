"""Kafka by confluent-kafka, from one settings block; the same block as plain data for aiokafka (pipeline.worker)."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.errors import NotThere, UserError
from pipeline.settings import Kafka

TIMEOUT = 10.0
AWAY = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - their public names
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}
"""What a broker that is down, starting or out of reach leads to."""


def librdkafka(kafka: Kafka, **more: Any) -> dict[str, Any]:
    """The settings as librdkafka names them; `more` in its names with _ for dots."""
    config: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": kafka.sasl_username,
        "sasl.password": kafka.sasl_password and kafka.sasl_password.get_secret_value(),
        "ssl.ca.location": kafka.ca_file and str(kafka.ca_file),
        "ssl.certificate.location": kafka.certificate_file and str(kafka.certificate_file),
        "ssl.key.location": kafka.key_file and str(kafka.key_file),
        "ssl.key.password": kafka.key_password and kafka.key_password.get_secret_value(),
        "log_level": 2,  # what fails is raised, or logged by us
    }
    if kafka.oauth and kafka.sasl_mechanism == "OAUTHBEARER":
        secret = kafka.oauth.client_secret
        config |= {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": kafka.oauth.token_url,
            "sasl.oauthbearer.client.id": kafka.oauth.client_id,
            "sasl.oauthbearer.client.secret": secret and secret.get_secret_value(),
            "sasl.oauthbearer.scope": kafka.oauth.scope or None,
        }
    config |= {name.replace("_", "."): value for name, value in more.items()}
    return {name: value for name, value in config.items() if value is not None}


def tls(kafka: Kafka) -> ssl.SSLContext | None:
    """The TLS context for aiokafka; None without TLS."""
    if not kafka.security_protocol.endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=str(kafka.ca_file) if kafka.ca_file else None)
    if kafka.certificate_file:
        password = kafka.key_password.get_secret_value() if kafka.key_password else None
        context.load_cert_chain(
            str(kafka.certificate_file), kafka.key_file and str(kafka.key_file), password
        )
    return context


def producer(kafka: Kafka, **more: Any) -> Producer:
    """An idempotent producer that waits for all replicas."""
    defaults = {
        "enable_idempotence": True, "acks": "all", "linger_ms": 5, "compression_type": "lz4",
        "batch_size": 500_000, "message_max_bytes": 4_000_000, "partitioner": "murmur2_random",
    }  # fmt: skip
    return Producer(librdkafka(kafka, **(defaults | more)))


def consumer(kafka: Kafka, group: str, **more: Any) -> Consumer:
    """A consumer that commits only when told."""
    defaults = {"group_id": group, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    return Consumer(librdkafka(kafka, **(defaults | more)))


def admin(kafka: Kafka) -> AdminClient:
    return AdminClient(librdkafka(kafka))


@contextmanager
def explained(kafka: Kafka) -> Iterator[None]:
    """Turns a broker's silence or refusal into an error that says what to look at."""
    try:
        yield
    except KafkaException as error:
        kind = NotThere if error.args[0].code() in AWAY else UserError
        raise kind(
            f"Kafka at {kafka.bootstrap_servers}: {error.args[0].str()} (is it running, is the"
            " address right, and do kafka.security_protocol and the credentials fit? try: driftline doctor)"
        ) from None


def read_all(kafka: Kafka, topic: str, partitions: list[int] | None = None) -> Iterator[Any]:
    """Every message from the oldest to the end as it is now, partition by partition mixed."""
    reader = consumer(kafka, "driftline-look", enable_partition_eof=True)
    try:
        if partitions is None:
            known = reader.list_topics(topic, TIMEOUT).topics[topic]
            if known.error is not None:
                raise KafkaException(known.error)
            partitions = list(known.partitions)
        reader.assign([TopicPartition(topic, number, 0) for number in partitions])
        waiting = set(partitions)
        while waiting:
            for message in reader.consume(5000, 1.0):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    waiting.discard(message.partition())
                elif not error.retriable():
                    raise KafkaException(error)
    finally:
        reader.close()


def read_compacted(kafka: Kafka, topic: str) -> dict[bytes, bytes]:
    """The last value of every key; deleted ones are left out."""
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
    """Counts what is under way to the broker and keeps what was refused."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def __call__(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self.failed.append(f"{message.topic()}[{message.partition()}]: {error.str()}")


def produce(
    producer: Producer, delivered: Callable[..., None], topic: str, value: bytes, **more: Any
) -> None:
    """Queues a message, waiting while the producer's queue is full."""
    while True:
        try:
            return producer.produce(topic, value, on_delivery=delivered, **more)
        except BufferError:
            producer.poll(0.1)


def flush(producer: Producer, delivered: Delivery, seconds: float) -> None:
    """Waits until everything is with the broker. Raises OSError for what is not."""
    left = producer.flush(seconds)
    if left or delivered.failed:
        raise OSError(
            f"{left} messages not delivered within {seconds:.0f} s; refused: {delivered.failed[:3]}"
        )
