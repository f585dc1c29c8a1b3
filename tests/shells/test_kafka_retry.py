"""Kafka's errors that pass by themselves end no command: each question to the brokers fails once with each of them. And
brokers that go away for good are told, not waited for."""

import logging
import re
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from driftline.pipeline.common.errors import NotThere, UserError
from driftline.pipeline.kafka import client as kafka
from driftline.pipeline.kafka import dead_letters, decision_store, redeliver, retries, topics_admin
from driftline.pipeline.kafka.outages import Away
from driftline.pipeline.kafka.retries import RETRIABLE, answer, retriable, retrying
from driftline.pipeline.model import RiskException
from driftline.pipeline.records.topics import CONTROL, EXCEPTIONS, FINDINGS, SNAPSHOTS, SWEEPS
from driftline.pipeline.settings.blocks import Kafka, Settings
from driftline.pipeline.tasks import doctor_kafka
from tests.core.world import START, tick
from tests.shells.broker import Brokers, Consumer, Message, records

OURS = Kafka(bootstrap_servers="fake:9092")
SETTINGS = Settings(kafka=OURS)
REFUSED = KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    """With every topic of ours, and something in some of them."""
    found = Brokers()
    found.make()
    for number, pair in enumerate(records(20)):
        found.log[FINDINGS.name][number % 3].append(pair)
        found.log[SWEEPS.name][0].append(pair)
    found.log[CONTROL.name][0].append((b"", tick(0)))
    monkeypatch.setattr(kafka, "Consumer", found.consumer)
    monkeypatch.setattr(kafka, "AdminClient", found.admin)
    monkeypatch.setattr(retries, "FIRST_WAIT", 1e-6)
    return found


def created(found: Brokers) -> Any:
    found.log.pop(SNAPSHOTS.name, None)
    return [line for line in topics_admin.create(OURS) if "made" in line.text]


def altered(found: Brokers) -> Any:
    found.settings[SNAPSHOTS.name]["retention.ms"] = "1"
    return topics_admin.alter(OURS, topics_admin.compare(OURS, [SNAPSHOTS]))


def followed(_: Brokers) -> Any:
    from driftline.pipeline.cli.coverage import _follow

    return [message and message.value() for message in islice(_follow(SETTINGS, threading.Event()), 21)]  # fmt: skip


def origins(ask: Callable[[redeliver.Origins], Any]) -> Any:
    found = redeliver.Origins(OURS)
    try:
        return ask(found)
    finally:
        found.close()


def refilled(_: Brokers) -> Any:
    from driftline.sinks.elasticsearch import refill

    return refill._partitions(OURS, FINDINGS.name), sorted(
        m.value() for m in refill._last(OURS, [0, 1, 2])
    )


def upgraded(_: Brokers) -> Any:
    from driftline.pipeline.tasks import upgrade

    return list(upgrade._states(SETTINGS))


def tailed(_: Brokers) -> Any:
    from driftline.pipeline.demo.tail import Tail

    return len(Tail(OURS, SWEEPS, beginning=False).look())


def guarded(_: Brokers) -> Any:
    from driftline.pipeline.worker.offsets import OffsetGuard

    return OffsetGuard(OURS, "group", 10, lambda: 1).first(FINDINGS.name, 0)


def recorded(folder: Path) -> Callable[[Brokers], Any]:
    from driftline.pipeline.kafka.recording import record

    return lambda _: record(OURS, folder / "t.ndjson", START, None, lambda _: None)


CALLS: dict[str, Callable[[Brokers], Any]] = {
    "read_all": lambda _: sorted(m.value() for m in kafka.read_all(OURS, FINDINGS.name)),
    "read_compacted": lambda _: kafka.read_compacted(OURS, SWEEPS.name),
    "starts": lambda _: kafka.starts(OURS, FINDINGS.name, range(3), START),
    "stored exceptions": lambda _: list(decision_store.stored(OURS, EXCEPTIONS, RiskException)),
    "letters": lambda _: list(redeliver.box(OURS).letters),
    "ends": lambda _: origins(lambda o: o.ends(TopicPartition(FINDINGS.name, 0))),
    "origin": lambda _: origins(lambda o: o.read(dead_letters.Origin(FINDINGS.name, 1, 2, -1)).value()),
    "topics create": created, "topics check": lambda _: topics_admin.check(OURS), "topics alter": altered,
    "doctor clock": lambda _: [line.state for line in doctor_kafka.clock(SETTINGS, 5)],
    "doctor group": lambda _: list(doctor_kafka.group(SETTINGS, "worker", "group", [FINDINGS], 5)),
    "coverage": followed, "refill": refilled, "upgrade": upgraded, "demo": tailed, "worker": guarded,
}  # fmt: skip


@pytest.mark.parametrize("name", [*CALLS, "record"])
def test_what_passes_by_itself_ends_nothing(brokers: Brokers, name: str, tmp_path: Path) -> None:
    """Each question fails once with each code: the answer is as if it had not."""
    call = CALLS.get(name) or recorded(tmp_path)
    wanted = call(brokers)
    asked = set(brokers.calls)
    assert asked
    for code in sorted(RETRIABLE):
        brokers.failing = code
        brokers.calls.clear()
        assert call(brokers) == wanted, KafkaError(code).name()
        assert set(brokers.calls) >= asked


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("coverage", "demo")])
def test_what_does_not_pass_is_told_at_once(brokers: Brokers, name: str) -> None:
    CALLS[name](brokers)
    asked = [method for method in brokers.calls if "list_topics" not in method]
    for method in asked:
        brokers.failing = REFUSED
        brokers.calls.clear()
        brokers.calls.update({other: 1 for other in (*asked, "list_topics", "admin list_topics") if other != method})  # fmt: skip
        with pytest.raises((KafkaException, UserError)):
            CALLS[name](brokers)
        assert brokers.calls[method] < 30, "it is not asked again and again"


def test_a_topic_that_is_missing_is_not_waited_for(brokers: Brokers) -> None:
    assert not retriable(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    del brokers.log[FINDINGS.name]
    with pytest.raises(UserError), kafka.explained(OURS):
        list(kafka.read_all(OURS, FINDINGS.name))


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)
    tries = []

    def call() -> None:
        tries.append(1)
        raise KafkaException(KafkaError(KafkaError.NOT_COORDINATOR))

    with pytest.raises(KafkaException):
        retrying(call, 0.05)
    assert 3 < len(tries) < 50


def test_an_answer_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import Future

    monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)
    with pytest.raises(KafkaException, match="no answer within"):
        answer(lambda: {"x": Future()}, seconds=0.02)


@pytest.mark.parametrize("some", [0, 7])
def test_brokers_that_go_away_meanwhile(brokers: Brokers, monkeypatch: pytest.MonkeyPatch, some: int) -> None:  # fmt: skip
    """Whoever reads a topic to its end is told where that stopped, and what to do."""
    monkeypatch.setattr(retries, "SILENCE", 0.05)
    consume = Consumer.consume

    def cut(self: Consumer, most: int, within: float) -> list[Message]:
        found = consume(self, most, within)
        brokers.dead = True
        return [one for one in found if one.error() is None][:some]

    monkeypatch.setattr(Consumer, "consume", cut)
    for read in (
        lambda: list(kafka.read_all(OURS, FINDINGS.name)),
        lambda: kafka.read_compacted(OURS, FINDINGS.name),
        lambda: origins(lambda o: list(o.since(FINDINGS.name, 0, 0))),
    ):
        brokers.dead = False
        with pytest.raises(NotThere) as told, kafka.explained(OURS):
            read()
        text = str(told.value)
        assert all(part in text for part in ("fake:9092", FINDINGS.name, "no records received for", "driftline doctor"))  # fmt: skip


CLIENTS = re.compile(r"\b(?:Consumer|AdminClient)\(")


def test_every_client_that_asks_is_made_in_one_place() -> None:
    """Else its questions are asked only once."""
    root = Path(__file__).parents[2]
    made = {
        str(path.relative_to(root))
        for folder in ("pipeline", "collectors", "sinks")
        for path in (root / folder).rglob("*.py")
        if CLIENTS.search(path.read_text())
    }
    assert made == {"pipeline/kafka/client.py", "sinks/reader.py"}, "a sink asks through answer()"


def test_who_runs_on_says_now_and_then_that_brokers_are_away(caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    at = [0.0]
    away = Away(logging.getLogger("driftline.test"), "a:9092", lambda: at[0])
    with caplog.at_level("WARNING", "driftline.test"):
        for at[0] in (100.0, 101.0, 159.0, 161.0, 162.0):
            away(KafkaError(KafkaError._TRANSPORT))
            away(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert [record.getMessage() for record in caplog.records] == ["Kafka is not reachable; retrying"] * 2  # fmt: skip
