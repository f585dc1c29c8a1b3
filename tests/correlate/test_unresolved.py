"""Audit events by sessions of roles count for the person who took the role, as soon as that is known: whenever it becomes
known, whatever comes twice, and whoever is started again meanwhile."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest

from driftline.pipeline.assess import pending_events
from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import Actor, Change, micros
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.people.session_chains import (
    MOST_ASKERS,
    PARTITIONS_ASK,
    on_query,
    session_query,
)
from driftline.pipeline.providers.installed import longest_session
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Occurrence
from driftline.pipeline.records.topics import CHANGES, CONTROL, MARK_KEYS, SIGNALS, partition
from tests.core.world import START, change, heard, minute, rulebook, tick
from tests.correlate.stream import Stream
from tests.correlate.test_one_fold import correlation, detection, final, watching

MICROS = 600_000_000
END = micros(START + timedelta(hours=6))
ROLES = [f"arn:aws:iam::{n * 6}:role/{name}" for n, name in (("1", "web"), ("2", "db"), ("3", "ops"))]  # fmt: skip
BY_PERSON = {"group-by": ["driftline.actor.person.id"]}
CONTENT = [
    detection("denied", {"errorCode": "AccessDenied"}),
    detection("makes_key", {"eventName": "CreateAccessKey"}, "low"),
    detection("by_a_user", {"eventName": "PutKey", "driftline.actor.person.kind": "user"}, "medium"),
    correlation("often_denied", "event_count", ["denied"], "30m", condition={"gte": 6}, **BY_PERSON),
    correlation("key_after", "temporal_ordered", ["denied", "makes_key"], "30m", **BY_PERSON),
    correlation("key_without", "temporal", ["makes_key", "denied"], "10m", condition="makes_key and not denied", **BY_PERSON),
    correlation("hands", "value_count", ["denied"], "1h", condition={"field": "driftline.actor.person.distinct", "gte": 2}, **{"group-by": ["driftline.account"]}),
    correlation("new_key", "first_seen", ["makes_key"], "1d", condition={"field": "driftline.uid"}, learning="30m", **{"group-by": ["driftline.actor.principal"]}),
]  # fmt: skip


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> DetectionEngine:
    return watching(tmp_path_factory.mktemp("content"), CONTENT)


def person(name: str) -> Actor:
    return Actor(id=f"arn:aws:iam::111111111111:user/{name}", type="user", name=name)


def taken(credential: str, role: str) -> Actor:
    """A session of a role. What it is called says nothing."""
    return Actor(id=role, type="role", issuer=role, session=credential, session_name="x")


def opened(credential: str, role: str, by: Actor, at: float) -> Change:
    """An AssumeRole."""
    return change(
        at, uid=f"session:{credential}", id=f"assume-{credential}", type=None, kind="session", action="AssumeRole",
        actor=by.model_dump(), resources=[role],
    )  # fmt: skip


def call(at: float, action: str, by: Actor, number: int, denied: bool = False) -> Change:
    raw = {"eventSource": "kms.amazonaws.com", "eventName": action} | ({"errorCode": "AccessDenied"} if denied else {})  # fmt: skip
    return change(
        at, uid=f"arn:aws:kms:eu-west-1:111111111111:key/{number % 7}", id=f"call-{number}", action=action, actor=by.model_dump(),
        raw=raw, outcome="failure" if denied else "success",
    )  # fmt: skip


def alerts(stream: Stream) -> dict[str, dict[str, Any]]:
    return final([orjson.loads(one) for one in stream.alerts.values()])


def streamed(records: Sequence[Change], content: DetectionEngine, seed: int) -> Stream:
    stream = Stream(rulebook(), content, MICROS, random.Random(seed))
    chance = random.Random(seed + 1)
    for record in records:
        stream.feed(CHANGES.name, record.encode())
        if chance.random() < 0.1:
            stream.run()
    stream.end(END)
    assert not stream.dead
    return stream


def brute_force() -> list[Change]:
    """One person tries through two roles, four times by each; somebody else once, by one of them."""
    mallory, other = person("mallory"), person("other")
    out = [opened("ASIA1", ROLES[0], mallory, 0), opened("ASIA2", ROLES[1], mallory, 0.5), opened("ASIA3", ROLES[1], other, 0.7)]  # fmt: skip
    tries = [call(1 + n, "Decrypt", taken(f"ASIA{n % 2 + 1}", ROLES[n % 2]), n, denied=True) for n in range(8)]  # fmt: skip
    return [*out, *tries, call(9, "Decrypt", taken("ASIA3", ROLES[1]), 9, denied=True)]


def often(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found.values() if one["title"] == "often_denied"]


@pytest.mark.parametrize("seed", range(4))
def test_a_brute_force_through_two_roles_is_one_alert(content: DetectionEngine, seed: int) -> None:
    records = brute_force()
    random.Random(seed).shuffle(records)
    (one,) = often(alerts(streamed(records, content, seed)))
    assert one["group"] == {"driftline.actor.person.id": person("mallory").id}
    assert (one["count"], one["actors"], one["state"]) == (8, [person("mallory").id], "ended")
    assert {step["as"] for step in one["story"]} == {*ROLES[:2]}


def test_a_session_whose_opening_was_never_seen_stays_alone(content: DetectionEngine) -> None:
    records = [record for record in brute_force() if record.uid != "session:ASIA2"]
    assert often(alerts(streamed(records, content, 1))) == []


def lived(chance: random.Random, *, forged: bool = False) -> list[Change]:
    """Two people with several sessions each, some taken on by one another, and what they do. `forged`: other copies of the
    events that opened them name somebody else, or another role."""
    out: list[Change] = []
    sessions: list[Actor] = []
    for n in range(6):
        by = chance.choice([person("ann"), person("bea"), *sessions])
        role = chance.choice(ROLES)
        out.append(opened(f"ASIA{n}", role, by, n / 10))
        sessions.append(taken(f"ASIA{n}", role))
        if forged and chance.random() < 0.5:
            other = opened(
                f"ASIA{n}", chance.choice(ROLES), chance.choice([by, person("bea")]), n / 10
            )
            out.append(other.model_copy(update={"id": f"forged-{n}"}))
    if chance.random() < 0.5:
        out.pop(chance.randrange(len(out)))
    for n in range(chance.randrange(20, 60)):
        action, denied = chance.choice((("Decrypt", True), ("Decrypt", True), ("CreateAccessKey", False), ("PutKey", False)))  # fmt: skip
        by = chance.choice([person("ann"), *sessions])
        out.append(call(1 + chance.randrange(9000) / 1000, action, by, n, denied))
    return out


@pytest.mark.parametrize("seed", range(12))
def test_order_doubles_and_restarts_change_nothing(content: DetectionEngine, seed: int) -> None:
    chance = random.Random(seed)
    records = lived(chance)
    wanted = alerts(streamed(records, content, seed))  # every session is opened before it is used
    shuffled = [*records, *chance.choices(records, k=20)]
    chance.shuffle(shuffled)
    assert alerts(streamed(shuffled, content, seed + 100)) == wanted
    for ticks in (True, False):
        fold = Fold(rulebook(), watch=content, lateness=MICROS)
        ordered = sorted(records, key=lambda one: one.occurred_at) if not ticks else shuffled
        for record in ordered:
            fold.feed(CHANGES.name, record.encode())
        fold.end(END)
        assert not fold.dead
        assert final(fold.told_alerts()) == wanted


@pytest.mark.parametrize("seed", range(8))
def test_copies_that_disagree_change_nothing_by_their_order(
    content: DetectionEngine, seed: int
) -> None:
    """Whoever was named before is named no more. (What first_seen has learnt it cannot forget.)"""
    chance = random.Random(seed)
    records = lived(chance, forged=True)
    novel = {one.title for one in content.correlations.values() if one.kind == "first_seen"}

    def told(records: Sequence[Change]) -> dict[str, dict[str, Any]]:
        fold = Fold(rulebook(), watch=content, lateness=MICROS)
        for record in records:
            fold.feed(CHANGES.name, record.encode())
        fold.end(END)
        assert not fold.dead
        return {
            id: one for id, one in final(fold.told_alerts()).items() if one["title"] not in novel
        }

    wanted = told(records)
    shuffled = [*records, *chance.choices(records, k=15)]
    for _ in range(3):
        chance.shuffle(shuffled)
        assert told(shuffled) == wanted
    stream = alerts(streamed(shuffled, content, seed)) if seed < 2 else wanted
    assert {id: one for id, one in stream.items() if one["title"] not in novel} == wanted


def test_a_killed_worker_follows_what_it_followed(content: DetectionEngine) -> None:
    """Cut after each record, with what was judged since lost or kept; records that came since come again."""
    records = brute_force()
    records = records[3:] + records[:3]
    wanted = alerts(streamed(records, content, 0))
    for cut in range(1, len(records)):
        stream = Stream(rulebook(), content, MICROS, random.Random(cut))
        for record in records[:cut]:
            stream.feed(CHANGES.name, record.encode())
        stream.run()
        for stage in stream._assess:
            stage.start()
        for record in records[max(0, cut - 3) :]:
            stream.feed(CHANGES.name, record.encode())
        stream.end(END)
        assert alerts(stream) == wanted


class Alone:
    """One partition; what it asks is not answered but by hand."""

    def __init__(self, content: DetectionEngine) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.number = partition(call(1, "x", person("a"), 0).uid)
        self.offset = 0
        self.content = content
        self.start()

    def start(self) -> None:
        self.fold = Partition(self.number, self.rows.get, rulebook(), None, self.content)
        self.fold.restore([(k, v) for k, v in self.rows.items() if v is not None and k[:1] in b"hs"])  # fmt: skip

    def feed(self, value: bytes, topic: str = CHANGES.name) -> list[dict[str, Any]]:
        """The signals that come of it."""
        self.offset += 1
        self.fold.apply(topic, value, self.offset)
        while self.fold.advance():
            pass
        work = self.fold.take()
        assert not work.dead
        for key, row in work.rows.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        out = [orjson.loads(one.value) for one in work.outputs if one.topic == SIGNALS.name]
        return [one for one in out if "mark" not in one]

    def passed(self, at: float) -> list[dict[str, Any]]:
        return [*self.feed(heard(at), CONTROL.name), *self.feed(tick(at), CONTROL.name)]

    @property
    def followed(self) -> list[bytes]:
        return [key for key in self.rows if key.startswith(b"ssignals:")]


def answer(content: DetectionEngine, credential: str, by: Actor) -> bytes:
    """What the session says of itself."""
    from driftline.pipeline.people.session_chains import on_issued as opens

    told = opens(None, opened(credential, ROLES[0], by, 0))
    assert told
    me = MARK_KEYS[Alone(content).number].decode()
    out = on_query(told.session, session_query(me, credential, 0)).out
    return out[0].encode()


def test_first_seen_waits_for_the_person_but_not_too_long(content: DetectionEngine) -> None:
    made = call(10, "CreateAccessKey", taken("ASIA1", ROLES[0]), 0).encode()
    novel = {one.id for one in content.correlations.values() if one.kind == "first_seen"}

    def habits(signals: list[dict[str, Any]]) -> list[str]:
        return [one["group"] for one in signals if one["correlation"] in novel]

    known = Alone(content)
    assert habits(known.feed(made)) == []
    assert habits(known.passed(14)) == []
    assert habits(known.feed(answer(content, "ASIA1", person("ann")))) == [person("ann").id]
    assert habits(known.passed(40)) == []

    late = Alone(content)
    late.feed(made)
    late.start()  # it is not forgotten by a restart
    assert habits(late.passed(15.1)) == [ROLES[0]]
    assert habits(late.feed(answer(content, "ASIA1", person("ann")))) == []


def test_what_cannot_change_an_alert_any_more_is_not_followed(content: DetectionEngine) -> None:
    world = Alone(content)
    denied = call(10, "Decrypt", taken("ASIA1", ROLES[0]), 0, denied=True).encode()
    assert world.feed(denied)
    world.passed(20.1)
    assert len(world.followed) == 1  # only that the session was asked
    assert world.feed(answer(content, "ASIA1", person("ann"))) == []
    world.passed(10 + longest_session() / 6e7 + 120)
    assert world.followed == []


def test_of_one_session_so_many_events_are_followed(content: DetectionEngine, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(pending_events, "MOST", 5)
    world = Alone(content)
    for n in range(9):
        record = call(10 + n / 10, "Decrypt", taken("ASIA1", ROLES[0]), 7 * n, denied=True)
        assert len(world.feed(record.encode())) == 4  # one of each correlation
    assert len(world.followed) == 6
    assert world.fold.counts[Occurrence.UNFOLLOWED_MATCH] == 4
    moved = world.feed(answer(content, "ASIA1", person("ann")))
    assert {one["event"] for one in moved} == {f"call-{7 * n}" for n in range(5)}
    assert len(world.followed) == 6  # it may say something else yet
    later = call(12, "Decrypt", taken("ASIA1", ROLES[0]), 70, denied=True)
    assert person("ann").id in {one["group"] for one in world.feed(later.encode())}


def test_resources_do_not_crowd_out_the_partitions_that_ask() -> None:
    told = None
    for name in (*PARTITIONS_ASK, *(f"arn:{n}" for n in range(2 * MOST_ASKERS))):
        told = on_query(
            told.session if told else None, session_query(name, "ASIA1", micros(minute(1)))
        )
    assert told
    assert len(told.session.askers) == MOST_ASKERS
    assert set(told.session.askers) >= PARTITIONS_ASK


def test_the_answer_comes_where_the_events_are() -> None:
    for number, key in enumerate(MARK_KEYS):
        assert partition(key.decode()) == number
        assert codec.change(session_query("x", "y", 0).encode()).uid == "session:y"
