"""Dead letters: what is listed, what an acknowledgement ends, and what hostile letters cannot do."""

import hashlib
import json
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.cli.deadletter import command
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka import redeliver
from driftline.pipeline.kafka.dead_letters import KEPT, Box, Origin, Share, acknowledgements, letter
from driftline.pipeline.records.topics import DEADLETTER, FINDINGS, SNAPSHOTS, TOPICS

HERE = Origin(SNAPSHOTS.name, 3, 17, 2)


class Message:
    """As confluent-kafka gives one."""

    def __init__(self, value: bytes | None, offset: int = 0, *, key: bytes | None = None, headers: Any = None,
                 topic: str = DEADLETTER.name, partition: int = 0, at: int = 1_800_000_000_000) -> None:  # fmt: skip
        self._value, self._offset, self._key, self._headers = value, offset, key, headers
        self._topic, self._partition, self._at = topic, partition, at

    def value(self) -> bytes | None:
        return self._value

    def key(self) -> bytes | None:
        return self._key

    def headers(self) -> Any:
        return self._headers

    def offset(self) -> int:
        return self._offset

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def timestamp(self) -> tuple[int, int]:
        return 1, self._at


def written(record: dict[str, Any], offset: int = 0) -> Message:
    return Message(record["value"], offset, key=record["key"], headers=record["headers"])


def dead(origin: Origin = HERE, value: bytes = b"{bad", offset: int = 0, **more: Any) -> Message:
    return written(letter("assess", "not JSON", origin, value, **more), offset)


def test_a_letter_keeps_origin_reason_hash_and_the_first_64_kb() -> None:
    record = letter("assess", "too large", HERE, b"x" * 70_000)
    assert len(record["value"]) == KEPT == 64_000
    [found] = Box([written(record, 5)]).letters.values()
    assert (found.origin, found.reason, found.stage, found.slot) == (HERE, "too large", "assess", (0, 5))  # fmt: skip
    assert (found.size, found.sha256) == (70_000, hashlib.sha256(b"x" * 70_000).hexdigest())
    assert found.as_dict()["topic"] == SNAPSHOTS.name
    assert found.as_dict()["place"] == 2


def test_the_same_record_refused_again_is_one_letter() -> None:
    box = Box([dead(offset=1), dead(offset=2), dead(Origin(SNAPSHOTS.name, 3, 18, 2), offset=3)])
    assert [(x.times, x.slot[1]) for x in box.letters.values()] == [(2, 2), (1, 3)]


def test_an_acknowledgement_ends_letters_and_a_later_refusal_lists_them_again() -> None:
    box = Box([dead(offset=1), dead(Origin(SNAPSHOTS.name, 3, 18, 2), offset=2)])
    first, second = box.letters
    for record in acknowledgements([first], "dropped"):
        box.add(written(record, 3))
    assert list(box.letters) == [second]
    box.add(dead(offset=4))
    assert list(box.letters) == [second, first]


def test_many_acknowledgements_are_split() -> None:
    records = list(acknowledgements((f"{n:016x}" for n in range(12_001)), "dropped"))
    assert [len(json.loads(record["value"])) for record in records] == [5000, 5000, 2001]
    assert max(len(record["value"]) for record in records) < 500_000


def test_a_strange_acknowledgement_is_told_and_ends_nothing() -> None:
    strange = [Message(value, 1, key=b"acknowledged") for value in (None, b"{", b"3", b"\xff")]
    box = Box([dead(), *strange])
    assert len(box.letters) == 1
    assert len(box.problems) == 4


@given(
    headers=st.one_of(st.none(), st.lists(st.tuples(
        st.sampled_from(["topic", "partition", "offset", "place", "size", "sha256", "at", "reason", "stage"]),
        st.one_of(st.none(), st.binary(max_size=30), st.integers().map(lambda n: str(n).encode())),
    ))),
    value=st.one_of(st.none(), st.binary(max_size=50)),
    key=st.one_of(st.none(), st.binary(max_size=15)),
)  # fmt: skip
def test_no_letter_however_hostile_stops_the_list(headers: Any, value: Any, key: Any) -> None:
    box = Box([Message(value, 7, key=key, headers=headers), dead(offset=8)])
    assert len(box.letters) + len(box.problems) == 2
    for found in box.letters.values():
        json.loads(json.dumps(found.as_dict()))
        if found.origin:
            assert found.origin.partition >= 0
            assert found.origin.place >= -1


class Broker:
    """What retry reads and writes, in memory: topics as lists, a message's offset its place in the list."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.logs: dict[tuple[str, int], list[Message]] = {}
        self.low: dict[tuple[str, int], int] = {}
        self.meanwhile: list[Message] = []
        """Written by others just before the next flush takes effect."""
        broker = self

        class Reader:
            def __init__(self, kafka: Any) -> None:
                pass

            def close(self) -> None:
                pass

            def read(self, origin: Origin) -> Any:
                log = broker.logs.get((origin.topic, origin.partition), [])
                found = [m for m in log if m.offset() == origin.offset]
                return found[0] if found else "retention has passed it"

            def since(self, topic: str, partition: int, offset: int) -> Any:
                return iter([m for m in broker.logs.get((topic, partition), []) if m.offset() >= offset])  # fmt: skip

        class Out(redeliver.Sender):
            def __init__(self, kafka: Any) -> None:
                self.written = {}

            def send(self, topic: str, value: bytes, **more: Any) -> None:
                for message in broker.meanwhile:
                    broker.put(message.topic(), message.partition(), message.value(), message.key())
                broker.meanwhile = []
                at = broker.put(topic, more.get("partition", 0), value, more.get("key"), more.get("headers"))  # fmt: skip
                if topic == FINDINGS.name:
                    self.written[more["key"]] = at

            def flush(self) -> None:
                pass

        monkeypatch.setattr(redeliver, "Origins", Reader)
        monkeypatch.setattr(redeliver, "Sender", Out)
        monkeypatch.setattr(redeliver, "read_all", lambda kafka, topic: iter(broker.logs.get((topic, 0), [])))  # fmt: skip

    def put(
        self, topic: str, partition: int, value: bytes | None, key: bytes | None = None, headers: Any = None
    ) -> int:  # fmt: skip
        log = self.logs.setdefault((topic, partition), [])
        offset = log[-1].offset() + 1 if log else 0
        log.append(Message(value, offset, key=key, headers=headers, topic=topic, partition=partition))  # fmt: skip
        return offset

    def bury(self, origin: Origin, value: bytes, reason: str = "bad", stage: str = "assess") -> str:
        record = letter(stage, reason, origin, value)
        before = set(self.listed())
        self.put(DEADLETTER.name, 0, record["value"], record["key"], record["headers"])
        [new] = set(self.listed()) - before
        return new

    def listed(self) -> list[str]:
        return list(Box(self.logs.get((DEADLETTER.name, 0), [])).letters)

    def values(self, topic: str, partition: int) -> list[bytes | None]:
        return [message.value() for message in self.logs[topic, partition]]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def again(broker: Broker) -> dict[str, str]:
    """Retries everything; id to what became of it."""
    letters = list(redeliver.box(None).letters.values())  # type: ignore[arg-type] # nothing is connected
    return {done.letter.id: done.kind for done in redeliver.retry(None, letters)}  # type: ignore[arg-type]


def test_retry_sends_one_element_again_to_its_partition(broker: Broker) -> None:
    batch = b'[{"uid":"a"},{"uid": "b", "x":1},{"uid":"c"}]'
    at = broker.put(SNAPSHOTS.name, 5, batch)
    id = broker.bury(Origin(SNAPSHOTS.name, 5, at, 1), b'{"uid": "b", "x":1}')
    assert again(broker) == {id: "retried"}
    assert broker.values(SNAPSHOTS.name, 5) == [batch, b'[{"uid": "b", "x":1}]']
    assert broker.listed() == []


def test_retry_sends_a_whole_record_as_it_was(broker: Broker) -> None:
    at = broker.put(SNAPSHOTS.name, 5, b"{not json")
    broker.bury(Origin(SNAPSHOTS.name, 5, at, -1), b"{not json")
    again(broker)
    assert broker.values(SNAPSHOTS.name, 5) == [b"{not json"] * 2


@pytest.mark.parametrize(("origin", "value", "kind"), [
    (Origin(SNAPSHOTS.name, 5, 99, 0), b"1", "expired"),
    (Origin(SNAPSHOTS.name, 5, 0, 0), b"something else", "refused"),
    (Origin(SNAPSHOTS.name, 5, 0, 7), b"1", "refused"),
    (Origin(SNAPSHOTS.name, 5, -1, -1), b"1", "refused"),
    (Origin("somebody.elses", 5, 0, -1), b"[1]", "refused"),
    (Origin(DEADLETTER.name, 0, 0, -1), b"[1]", "refused"),
])  # fmt: skip
def test_what_cannot_be_sent_stays_listed(
    broker: Broker, origin: Origin, value: bytes, kind: str
) -> None:
    broker.put(SNAPSHOTS.name, 5, b"[1]")
    broker.put("somebody.elses", 5, b"[1]")
    id = broker.bury(origin, value)
    assert again(broker) == {id: kind}
    assert broker.listed() == [id]
    assert broker.values(SNAPSHOTS.name, 5) == [b"[1]"]
    assert broker.values("somebody.elses", 5) == [b"[1]"]


def finding(revision: int, more: str = "") -> bytes:
    return orjson.dumps({"id": "f", "revision": revision, "more": more})


def refused(broker: Broker, value: bytes, key: bytes = b"f") -> str:
    """A finding in the topic, and its letter."""
    at = broker.put(FINDINGS.name, 4, value, key)
    return broker.bury(Origin(FINDINGS.name, 4, at, -1), value, stage="elasticsearch")


def test_a_finding_is_sent_again_with_its_key(broker: Broker) -> None:
    id = refused(broker, finding(1))
    broker.put(FINDINGS.name, 4, finding(9), b"another")
    assert again(broker) == {id: "retried"}
    assert broker.values(FINDINGS.name, 4)[-1] == finding(1)
    assert broker.logs[FINDINGS.name, 4][-1].key() == b"f"


@pytest.mark.parametrize("newer", [finding(2), None, b"{nonsense"])
def test_an_overtaken_finding_is_never_sent_again(broker: Broker, newer: bytes | None) -> None:
    id = refused(broker, finding(1))
    broker.put(FINDINGS.name, 4, newer, b"f")
    assert again(broker) == {id: "overtaken"}
    assert broker.values(FINDINGS.name, 4) == [finding(1), newer]
    assert broker.listed() == []


def test_of_two_refused_revisions_only_the_newest_is_sent(broker: Broker) -> None:
    old, new = refused(broker, finding(1)), refused(broker, finding(2))
    assert again(broker) == {old: "overtaken", new: "retried"}
    assert broker.values(FINDINGS.name, 4) == [finding(1), finding(2), finding(2)]


def test_a_compacted_finding_counts_as_overtaken(broker: Broker) -> None:
    id = refused(broker, finding(1))
    broker.put(FINDINGS.name, 4, finding(2), b"f")
    del broker.logs[FINDINGS.name, 4][0]
    assert again(broker) == {id: "overtaken"}


def test_a_findings_topic_that_was_made_anew_is_no_overtaking(broker: Broker) -> None:
    id = broker.bury(Origin(FINDINGS.name, 4, 50, -1), finding(1))
    broker.put(FINDINGS.name, 4, finding(2), b"f")
    assert again(broker) == {id: "expired"}
    assert broker.listed() == [id]


def test_a_revision_that_was_written_meanwhile_ends_up_last(broker: Broker) -> None:
    refused(broker, finding(1))
    broker.meanwhile = [Message(finding(2), key=b"f", topic=FINDINGS.name, partition=4)]
    again(broker)
    assert broker.values(FINDINGS.name, 4) == [finding(1), finding(2), finding(1), finding(2)]


def cli(*words: str) -> Any:
    return CliRunner().invoke(command, list(words), standalone_mode=False)


HOSTILE = "\x1b]0;owned\x07\x9b2J‮\x7f"


def test_nothing_hostile_reaches_the_terminal(broker: Broker) -> None:
    value = HOSTILE.encode() + b"\xff\x1b[2J"
    id = broker.bury(Origin(SNAPSHOTS.name + HOSTILE, 1, 1, 1), value, HOSTILE, HOSTILE)
    for words in (["list"], ["list", "--format", "json"], ["show", id], ["show", id, "--format", "json"],
                  ["retry", id]):  # fmt: skip
        result = cli(*words)
        assert result.exception is None, result.exception
        assert id in result.output
        assert [char for char in result.output if not char.isprintable() and char != "\n"] == []
    assert "owned" in cli("show", id).output


def test_the_list_is_filtered(broker: Broker) -> None:
    one = broker.bury(HERE, b"1", "nested deeper than 64")
    two = broker.bury(Origin(FINDINGS.name, 1, 1, -1), b"2", "400 mapper_parsing_exception")
    ids = [found["id"] for found in json.loads(cli("list", "--format", "json").output)]
    assert ids == [one, two]

    def found(*words: str) -> list[str]:
        return [x["id"] for x in json.loads(cli("list", "--format", "json", *words).output)]

    assert found("--reason", "NESTED") == [one]
    assert found("--topic", "findings") == found("--topic", FINDINGS.name) == [two]
    assert found("--since", "2027-01-15T07:59:00Z") == [one, two]  # their Kafka time is 08:00
    assert found("--since", "2027-01-15T08:01:00Z") == []
    assert "1 older ones not shown" in cli("list", "--limit", "1").output
    assert two in cli("list", "--limit", "1").output


@pytest.mark.parametrize("words", [
    ("list", "--topic", "snapshot"), ("list", "--since", "yesterday"), ("show", "ffffffffffffffff"),
    ("drop",), ("retry", "--all", "ffffffffffffffff"), ("drop", "ffffffff", "--reason", "x"),
])  # fmt: skip
def test_mistakes_are_told_and_nothing_happens(broker: Broker, words: tuple[str, ...]) -> None:
    broker.bury(HERE, b"1")
    before = len(broker.logs[DEADLETTER.name, 0])
    assert isinstance(cli(*words).exception, UserError)
    assert len(broker.logs[DEADLETTER.name, 0]) == before


def test_drop_by_the_beginning_of_an_id_and_by_filter(broker: Broker) -> None:
    ids = [broker.bury(Origin(SNAPSHOTS.name, 1, n, 0), b"1", f"reason {n % 2}") for n in range(5)]
    assert cli("drop", ids[0][:8]).output == "1 dropped\n"
    assert broker.listed() == ids[1:]
    assert cli("drop", "--all", "--reason", "reason 0").output == "2 dropped\n"
    assert broker.listed() == [ids[1], ids[3]]


def test_retry_says_by_its_exit_code_what_stays(broker: Broker) -> None:
    at = broker.put(SNAPSHOTS.name, 3, b"[1]")
    broker.bury(Origin(SNAPSHOTS.name, 3, at, 0), b"1")
    assert cli("retry", "--all").return_value == 0
    id = broker.bury(Origin(SNAPSHOTS.name, 3, 99, 0), b"1")
    result = cli("retry", "--all")
    assert result.return_value == 3
    assert f"{id} expired" in result.output


def test_every_retried_topic_is_one_of_ours() -> None:
    assert all(topic in TOPICS for topic in redeliver.RETRIED)


@pytest.mark.parametrize(("most", "good", "bad", "over"), [
    (0.1, 90, 10, False), (0.1, 89, 11, True), (0.1, 0, 99, False), (0.1, 0, 100, True), (1.0, 0, 5000, False),
])  # fmt: skip
def test_the_share_of_bad_records(most: float, good: int, bad: int, over: bool) -> None:
    share = Share(most)
    assert share.add(good, bad) is over


def test_the_share_forgets_slowly() -> None:
    share = Share(0.1)
    assert not any(share.add(99, 1) for _ in range(1000))
    steps = next(n for n in range(1, 1000) if share.add(0, 10))
    assert 5 <= steps <= 12  # tenfold badness after a long good time shows within a window
