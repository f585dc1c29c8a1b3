"""The correlator's rows: what it says at last is the same to the byte for every order, double and restart, for every type of
correlation; groups that the last release wrote go on; a flood is one alert."""

import base64
import gzip
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.pipeline.correlate.group_version3 import LAST_SINGLE_ROW_VERSION
from driftline.pipeline.correlate.shard import Correlating
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.records.topics import ALERTS, SIGNALS
from driftline.pipeline.state.rows import in_order, version
from tests.correlate.kinds import TYPES, content, mark, signal

LATENESS = 600_000_000
FIXTURE: dict[str, Any] = orjson.loads(
    gzip.decompress((Path(__file__).parent / "fixtures/state-3.json.gz").read_bytes())
)
"""Made by bff013f's own fold, from the signals of `early`: rows, and the last word on each alert."""
END = mark(10 * 86_400)


class Kept:
    """One partition's fold, its durable rows, and the last word on every alert."""

    def __init__(self, *kinds: str, budget: int = 0) -> None:
        self.content, self.budget = content(kinds or TYPES), budget
        self.rows: dict[bytes, bytes | None] = {}
        self.alerts: dict[str, dict[str, Any]] = {}
        self.records: list[dict[str, Any]] = []
        self.start()

    def start(self) -> None:
        """As after a kill."""
        self.fold = Correlating(0, self.rows.get, self.content, LATENESS, 1, self.budget)
        self.fold.restore((k, v) for k, v in self.rows.items() if v is not None and k[:1] == b"h")

    def batch(self, records: list[bytes], first: int, *, lost: bool = False) -> None:
        """`lost`: the process dies before its rows are durable; what it said is out."""
        for offset, record in enumerate(records, first):
            self.fold.apply(SIGNALS.name, record, offset)
        while self.fold.advance():
            pass
        work = self.fold.take()
        assert not work.dead
        for output in work.outputs:
            if output.topic == ALERTS.name:
                one = orjson.loads(output.value)
                self.records.append(one)
                if one["revision"] >= self.alerts.get(one["id"], one)["revision"]:
                    self.alerts[one["id"]] = one
        if lost:
            self.start()
        else:
            self.rows.update(in_order(work.rows))

    def standing(self) -> bytes:
        """What is said at last."""
        stand = [one for one in self.alerts.values() if one["state"] in ("active", "ended")]
        plain = [{k: v for k, v in one.items() if k != "revision"} for one in stand]
        return orjson.dumps(sorted(plain, key=lambda one: (one["rule"], one["at"], one["id"])))


def fed(kind: str, count: int, chance: random.Random) -> list[tuple[float, bytes]]:
    """Signals of two groups with their times: bursts, gaps, and several of one second."""
    out, at = [], 0.0
    for number in range(count):
        at += chance.choice([0, 0, 1, 5, 40, 200, 700])
        group = chance.choice(["g", "g", "h"])
        more = {"resource": f"r{chance.randint(0, 9)}", "what": chance.choice("xyz")}
        out.append((at, signal(kind, group, number, at, **more)))
    return out


@pytest.mark.parametrize("kind", TYPES)
def test_the_last_word_is_the_same_for_every_order_double_and_kill(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(6):
        chance = random.Random(f"{kind} {seed}")
        monkeypatch.setattr(
            "driftline.pipeline.correlate.runs.MAX_EVALUATED", chance.choice([4, 30, 1000])
        )
        monkeypatch.setattr(
            "driftline.pipeline.correlate.alerts.names.MAX_COUNTED", chance.choice([3, 10_000])
        )
        records = fed(kind, 120, chance)
        whole = Kept(kind)
        whole.batch([record for _, record in records], 0)
        whole.batch([END], len(records))
        shuffled = [*records, *chance.choices(records, k=20)]
        shuffled.sort(key=lambda one: one[0] + chance.uniform(0, 590))
        stream = list[bytes]()
        for place, (_, record) in enumerate(shuffled):
            stream.append(record)
            if chance.random() < 0.2:  # nothing earlier comes, less the lateness
                stream.append(mark(min((at for at, _ in shuffled[place:]), default=0)))
        stream.append(END)
        kept, at = Kept(kind), 0
        while at < len(stream):
            until = min(len(stream), at + chance.choice([1, 3, 10, 40]))
            if chance.random() < 0.3:
                kept.batch(stream[at : chance.randint(at, until)], at, lost=True)
            kept.batch(stream[at:until], at)
            if chance.random() < 0.3:
                kept.start()
            at = until
        assert not kept.fold.counts[Outcome.LATE]
        assert kept.standing() == whole.standing(), (kind, seed)
        left = {key for key, row in kept.rows.items() if row is not None} - {b"w", b"c", b"l"}
        assert not left, "what is over is forgotten"


def early() -> list[bytes]:
    """What the fixture was made of."""
    out = []
    for kind in TYPES:
        out += [signal(kind, "early", n, n * 100, resource=f"r{n % 7}") for n in range(30)]
        if kind != "first_seen":
            out.append(signal(kind, "alone", 0, 2900))
    out.append(mark(2000))
    for kind in TYPES:
        out += [signal(kind, "early", n, n * 100 - 300, resource=f"r{n % 7}") for n in range(30, 34)]  # fmt: skip
    return out


def test_groups_of_the_last_release_go_on() -> None:
    """As if this version had taken in all: the same alerts, and none is said again for the change of version."""
    first, later = early(), [signal(kind, "early", n, n * 100 - 300, resource=f"r{n % 7}") for kind in TYPES for n in range(34, 60)]  # fmt: skip
    new, old = Kept(), Kept()
    old.rows |= {base64.b64decode(key): base64.b64decode(row) for key, row in FIXTURE["rows"]}
    heads = [row for key, row in old.rows.items() if key[:1] == b"h" and row is not None]
    assert {version(row) for row in heads} == {LAST_SINGLE_ROW_VERSION}
    old.alerts |= {one["id"]: one for one in map(orjson.loads, FIXTURE["said"])}
    old.start()
    for kept in (new, old):
        if kept is new:
            kept.batch(first, 0)
        kept.batch([mark(2001)], len(first))
        if kept is old:
            assert not kept.records
        kept.batch(later, len(first) + 1)
        kept.batch([END], len(first) + 1 + len(later))

    def told(kept: Kept) -> list[dict[str, Any]]:
        found = orjson.loads(kept.standing())
        return [{k: v for k, v in one.items() if k != "distinct"} for one in found]

    assert told(old) == told(new)
    assert len(told(old)) >= 12
    assert all(not row for key, row in old.rows.items() if key[:1] in (b"h", b"b"))


@pytest.mark.parametrize("kind", ["event_count", "value_avg", "temporal", "temporal_ordered"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_flood_is_one_alert_and_a_few_records(kind: str, shuffled: bool) -> None:
    count, chance, kept = 10_000, random.Random(5), Kept(kind)
    order = list(range(count))
    if shuffled:
        order.sort(key=lambda n: n * 0.05 + chance.uniform(0, 500))
    for begin in range(0, count, 200):
        kept.batch([signal(kind, "g", n, n * 0.05) for n in order[begin : begin + 200]], begin)
    kept.batch([END], count)
    (one,) = orjson.loads(kept.standing())
    assert (one["count"], one["capped"], one["state"]) == (count, False, "ended")
    if not shuffled:
        assert {one["id"] for one in kept.records} == {one["id"]}
        assert len(kept.records) <= 20
    assert all(len(row or b"") < 64_000 for row in kept.rows.values())


def test_the_last_word_on_a_flood_is_the_same_in_any_order() -> None:
    words = set()
    for shuffled in (False, True):
        kept, chance = Kept("value_count"), random.Random(2)
        order = list(range(3000))
        if shuffled:
            chance.shuffle(order)
        for begin in range(0, 3000, 100):
            kept.batch([signal("value_count", "g", n, n * 0.1, resource=f"r{n}") for n in order[begin : begin + 100]], begin)  # fmt: skip
        kept.batch([END], 3000)
        words.add(kept.standing())
    assert len(words) == 1


def test_beyond_what_is_held_the_oldest_become_final_and_the_alert_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("driftline.pipeline.correlate.group.MAX_HITS", 300)
    monkeypatch.setattr("driftline.pipeline.correlate.runs.MAX_EVALUATED", 100)
    kept = Kept("event_count")
    for begin in range(0, 2000, 50):
        kept.batch([signal("event_count", "g", n, n * 0.1) for n in range(begin, begin + 50)], begin)  # fmt: skip
        rows = [row for row in kept.rows.values() if row is not None]
        assert len(rows) < 30
    kept.batch([END], 2000)
    (one,) = orjson.loads(kept.standing())
    assert (one["count"], one["capped"]) == (2000, True)


def test_distinct_values_are_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.pipeline.correlate.alerts.names.MAX_COUNTED", 20)
    for count, capped in ((15, False), (25, True)):
        kept = Kept("event_count")
        kept.batch([signal("event_count", "g", n, n, resource=f"r{n:02d}") for n in range(count)], 0)  # fmt: skip
        kept.batch([END], count)
        (one,) = orjson.loads(kept.standing())
        assert (one["distinct"]["resources"], one["capped"]) == (min(20, count), capped)
        assert one["resources"] == [f"r{n:02d}" for n in range(count)]


def test_a_new_resource_or_action_is_told_at_once_then_once_a_minute() -> None:
    kept = Kept("event_count")
    plain = [signal("event_count", "g", n, n * 0.01) for n in range(64)]
    kept.batch(plain, 0)
    said = len(kept.records)
    for n in range(64, 72):
        kept.batch([signal("event_count", "g", n, n * 0.01)], n)
    assert len(kept.records) == said, "further ones of the same say nothing"
    for n in range(72, 92):
        more = {"resource": f"r{n}"} if n % 2 else {"what": f"a{n}"}
        kept.batch([signal("event_count", "g", n, n * 0.01, **more)], n)
        assert len(kept.records) == said + n - 71
    for n in range(92, 110):
        kept.batch([signal("event_count", "g", n, n * 0.01, resource=f"r{n}")], n)
    assert len(kept.records) == said + 20
    kept.batch([mark(61)], 110)
    assert len(kept.records) == said + 21
    assert kept.records[-1]["distinct"]["resources"] == 1 + 10 + 18


def test_one_group_cannot_burn_the_budget_of_its_rule() -> None:
    kept = Kept("event_count", budget=10)
    for n in range(40):  # alerts of one group, a quarter of an hour apart
        kept.batch([signal("event_count", "loud", 5 * n + m, 1300 * n / 20 + m * 0.1) for m in range(5)], 5 * n)  # fmt: skip
    for n in range(8):
        records = [signal("event_count", f"loud{n % 1}", 1000 + 10 * n + m, 700 * n) for m in range(5)]  # fmt: skip
        kept.batch(records, 500 + 10 * n)
    kept.batch([signal("event_count", "quiet", m, 100 + m) for m in range(5)], 900)
    quiet = [one for one in kept.alerts.values() if one["group"] == {"g": "quiet"}]
    assert [one.get("held_back", False) for one in quiet] == [False]
    held = [one for one in kept.alerts.values() if one.get("held_back")]
    assert held, "the loud one has had its share"
