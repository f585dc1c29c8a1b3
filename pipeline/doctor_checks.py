"""What `driftline doctor` asks of our own parts: settings, Kafka, topics, consumer groups, Elasticsearch."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pipeline.doctor import Check, Line, apart
from pipeline.errors import UserError
from pipeline.kafka import explained, librdkafka, reached
from pipeline.retry import Origins, box
from pipeline.settings import Settings
from pipeline.topics import CONTROL, FINDINGS, SNAPSHOTS, Topic

LATE = 300.0
"""Seconds that the oldest waiting record may wait unremarked."""
BROKERS = "is Kafka running, and does kafka.bootstrap_servers name it?"
ELASTIC = "is Elasticsearch running, and does elasticsearch.url name it?"
AWS = "is AWS reachable from here, and is AWS_ENDPOINT_URL (if set) right?"
AREAS = ("settings", "kafka", "elasticsearch", "aws")


def checks(settings: Settings, seconds: float) -> dict[str, list[Check]]:
    """Every check by its area. A call's own time is a little shorter than its check's."""
    from collectors.aws import doctor as aws

    short, own = seconds * 0.8, settings.aws
    worker, sink = settings.worker.app_id, "driftline-sink-elasticsearch"
    return {
        "settings": [
            Check("settings", lambda: _settings(settings)),
            Check("rules", lambda: _rules(settings)),
        ],
        "kafka": [
            Check("Kafka", lambda: _kafka(settings, short), silent=BROKERS),
            Check("topics", lambda: _topics(settings), "Kafka", BROKERS),
            Check("worker", lambda: _group(settings, "worker", worker, (SNAPSHOTS, CONTROL), short), "Kafka", BROKERS),
            Check("sink", lambda: _group(settings, "sink elasticsearch", sink, (FINDINGS,), short), "Kafka", BROKERS),
            Check("sweeps", lambda: _sweeps(settings), "Kafka", "see: driftline coverage"),
            Check("dead letters", lambda: _letters(settings), "Kafka", "see: driftline deadletter list"),
        ],
        "elasticsearch": [
            Check("Elasticsearch", lambda: _elastic(settings, short, _health), silent=ELASTIC),
            Check("templates", lambda: _elastic(settings, short, _templates), "Elasticsearch", ELASTIC),
        ],
        "aws": [
            Check("AWS credentials", lambda: aws.caller(own), silent=AWS),
            Check("AWS accounts", lambda: aws.roles(own, short), "AWS credentials", AWS),
            Check("AWS permissions", lambda: aws.permissions(own, short), "AWS credentials", AWS),
        ],
    }  # fmt: skip


def _settings(settings: Settings) -> Iterator[Line]:
    yield Line("settings", "ok", "read and valid")
    key = settings.redaction.key
    step = "openssl rand -hex 32 > redaction.key, and set redaction.key_file or DRIFTLINE_REDACTION__KEY"
    if key is None:
        yield Line("redaction key", "fail", "missing: collectors refuse to start", step)
    elif len(key.get_secret_value()) < 16:
        yield Line("redaction key", "fail", "shorter than 16 characters", step)
    else:
        yield Line("redaction key", "ok", "set")


def _rules(settings: Settings) -> Iterator[Line]:
    from pipeline.shell import rulebook_and_options

    rulebook, _ = rulebook_and_options(settings)
    count = len(rulebook.rules)
    step = "" if count else "set rules.builtin, or rules.paths"
    yield Line("rules", "ok" if count else "fail", f"{count} rules, hash {rulebook.hash[:12]}", step)  # fmt: skip


def _kafka(settings: Settings, seconds: float) -> Iterator[Line]:
    kafka = settings.kafka
    security = " ".join(filter(None, (kafka.security_protocol, kafka.sasl_mechanism)))
    where = f"{kafka.bootstrap_servers} ({security})"
    with explained(kafka):
        known = reached(kafka, seconds).list_topics(timeout=seconds)
    brokers = len(known.brokers)
    yield Line("Kafka", "ok", f"{brokers} broker{'s' * (brokers > 1)} at {where}")


def _topics(settings: Settings) -> Iterator[Line]:
    from pipeline import topics_admin
    from pipeline.topics import TOPICS

    found = topics_admin.check(settings.kafka, app_id=settings.worker.app_id)
    if not found:
        yield Line("topics", "ok", f"{len(TOPICS)} topics as they should be")
    for problem in found:
        text, step = apart(problem)
        broken = ": missing" in text or " partitions, not " in text
        yield Line("topics", "fail" if broken else "warn", text, step)


def _group(
    settings: Settings, program: str, group: str, topics: Sequence[Topic], seconds: float
) -> Iterator[Line]:
    """How far a program's consumer group is behind, and whether any of it runs."""
    what, run = program.split()[0], f"run: driftline {program}"
    client = AdminClient(librdkafka(settings.kafka))
    with explained(settings.kafka):
        groups = client.list_consumer_groups(request_timeout=seconds).result(seconds).valid
        states = {found.group_id: found.state.name for found in groups}
        if group not in states:
            yield Line(what, "warn", f"no group {group}: it has never run", run)
            return
        slots = [TopicPartition(t.name, n) for t in topics for n in range(t.partitions)]
        behind, lost = _behind(client, group, slots, seconds)
    if lost:
        yield Line(what, "fail", f"retention has passed what it had not read, on {', '.join(lost[:3])}",
                   "choose a longer retention, move the group to the oldest offset, and run a full sweep")  # fmt: skip
    waiting = sum(behind.values())
    if states[group] == "EMPTY":
        yield Line(what, "fail" if waiting else "warn", f"none runs; {waiting} records wait", run)
        return
    if not waiting:
        yield Line(what, "ok", f"{group} is up to date ({states[group].lower()})")
        return
    slot = max(behind, key=lambda one: behind[one])
    age = _age(settings, slot)
    text = f"{waiting} records wait, the oldest looked at for {age:.0f} s ({states[group].lower()})"
    late = age > LATE
    yield Line(what, "warn" if late else "ok", text, "start more of them, or look at their logs and /metrics" if late else "")  # fmt: skip


def _behind(
    client: AdminClient, group: str, slots: list[TopicPartition], seconds: float
) -> tuple[dict[TopicPartition, int], list[str]]:
    """Records that wait, by partition with the offset that comes next; and where retention took some unread."""
    asked = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, slots)])
    committed = asked[group].result(seconds).topic_partitions
    specs: tuple[Any, Any] = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = [client.list_offsets(dict.fromkeys(slots, spec)) for spec in specs]
    lows, highs = (
        {(tp.topic, tp.partition): future.result(seconds).offset for tp, future in found.items()}
        for found in ends
    )
    behind: dict[TopicPartition, int] = {}
    lost: list[str] = []
    for tp in committed:
        slot = (tp.topic, tp.partition)
        at = tp.offset if tp.offset >= 0 else lows[slot]
        if at < lows[slot]:
            lost.append(f"{tp.topic}[{tp.partition}]")
        if highs[slot] > at:
            behind[TopicPartition(*slot, max(at, lows[slot]))] = highs[slot] - at
    return behind, lost


def _age(settings: Settings, slot: TopicPartition) -> float:
    """Seconds since the record at a partition's next offset was written."""
    origins = Origins(settings.kafka)
    try:
        message = next(origins.since(slot.topic, slot.partition, slot.offset), None)
    finally:
        origins.close()
    return max(0.0, time.time() - message.timestamp()[1] / 1000) if message else 0.0


def _sweeps(settings: Settings) -> Iterator[Line]:
    from collectors.base import known_from
    from collectors.coverage import rows
    from pipeline.kafka import read_compacted
    from pipeline.topics import SWEEPS

    with explained(settings.kafka):
        _, headers, _ = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
    found = rows(headers.values(), datetime.now(UTC))
    lacking = sum(not row.healthy for row in found)
    if not found:
        yield Line("sweeps", "warn", "nothing was ever read", "run: driftline collect aws")
    elif lacking:
        yield Line("sweeps", "warn", f"{lacking} of {len(found)} scopes not read whole, or not within a day",
                   "see: driftline coverage --lacking")  # fmt: skip
    else:
        yield Line("sweeps", "ok", f"{len(found)} scopes, each read whole within a day")


def _letters(settings: Settings) -> Iterator[Line]:
    with explained(settings.kafka):
        count = len(box(settings.kafka).letters)
    yield Line("dead letters", "warn" if count else "ok", f"{count}" if count else "none",
               "see: driftline deadletter list" if count else "")  # fmt: skip


def _elastic(
    settings: Settings, seconds: float, ask: Callable[[Any, Settings], Awaitable[Line]]
) -> Iterator[Line]:
    from elasticsearch import AuthenticationException, AuthorizationException, TransportError

    from sinks.elasticsearch.sink import client

    async def run() -> Line:
        async with client(settings.elasticsearch) as es:
            return await ask(es.options(request_timeout=seconds), settings)

    url = settings.elasticsearch.url
    try:
        yield asyncio.run(run())
    except (AuthenticationException, AuthorizationException) as error:
        raise UserError(
            f"{url} refuses us: {error.status_code} (correct elasticsearch.username, password or api_key; its"
            " roles: driftline permissions elasticsearch)"
        ) from None
    except TransportError as error:
        raise UserError(f"{url}: {str(error)[:300]} ({ELASTIC})") from None


async def _health(es: Any, settings: Settings) -> Line:
    health = await es.cluster.health()
    where = f"{health['cluster_name']} at {settings.elasticsearch.url} is {health['status']}"
    version = health.meta.headers.get("x-elastic-product", "")
    if version != "Elasticsearch":
        return Line("Elasticsearch", "fail", f"{where}, and does not say that it is Elasticsearch", ELASTIC)  # fmt: skip
    red = health["status"] == "red"
    step = "see its cluster's allocation explain API" if red else ""
    return Line("Elasticsearch", "fail" if red else "ok", where, step)


async def _templates(es: Any, settings: Settings) -> Line:  # noqa: ARG001 - as every check of it
    from sinks.elasticsearch.install import check, state
    from sinks.elasticsearch.templates import fingerprint

    problem = await check(es)
    if problem:
        return Line("templates", "fail", *apart(problem))
    index, _ = await state(es)
    return Line("templates", "ok", f"version {fingerprint()}, behind the alias: {index}")
