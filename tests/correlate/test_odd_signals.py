"""Whatever one signal raises is that signal's dead letter: nothing escapes, and the other groups, and the other signals of
its group, go on as if it had not come. So do groups whose correlation was changed."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.correlate import codec, group_rows
from driftline.pipeline.correlate.runs import RunScanner
from driftline.pipeline.correlate.shard import Correlating
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.records.outputs import Work
from driftline.pipeline.records.topics import ALERTS, SIGNALS
from tests.correlate.kinds import IDS, TYPES, content, correlation, mark, signal

LATENESS = 600_000_000
ALL = content()
END = mark(10 * 86_400)
POISON = "one that raises"


class Kept:
    """One partition's fold, its rows, what it has told last and what it has buried."""

    def __init__(self, watch: DetectionEngine = ALL) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.alerts: dict[str, dict[str, Any]] = {}
        self.dead: list[bytes] = []
        self.offset = 0
        self.start(watch)

    def start(self, watch: DetectionEngine) -> None:
        self.fold = Correlating(0, self.rows.get, watch, LATENESS, 1)
        self.fold.restore((k, v) for k, v in self.rows.items() if v is not None and k[:1] == b"h")

    def feed(self, *records: bytes) -> None:
        """A batch of each."""
        for record in records:
            self.fold.apply(SIGNALS.name, record, self.offset)
            self.offset += 1
            while self.fold.advance():
                pass
            self._took(self.fold.take())

    def _took(self, work: Work) -> None:
        self.rows.update(work.rows)
        self.dead += [dead.value for dead in work.dead]
        for output in work.outputs:
            if output.topic == ALERTS.name:
                one = orjson.loads(output.value)
                self.alerts[one["id"]] = {k: v for k, v in one.items() if k != "revision"}

    def standing(self) -> list[dict[str, Any]]:
        return [one for one in self.alerts.values() if one["state"] in ("active", "ended")]


def story(kind: str, group: str = "g") -> list[bytes]:
    return [signal(kind, group, n, n * 5) for n in range(25)]


def altered(record: bytes, **fields: Any) -> bytes:
    return orjson.dumps(orjson.loads(record) | fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["1e400", "-inf", "nan", "\0", "a\nb", "é" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6,
)  # fmt: skip
TIMES = st.sampled_from(
    ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-01-01T00:00:07Z", "9999-12-31T23:59:59.999999Z", "x", 5, None]
)  # fmt: skip
BRIEFS = st.dictionaries(st.sampled_from(["at", "what", "who", "resource", "finding", "odd"]), JSON, max_size=4)  # fmt: skip
ODD: dict[str, st.SearchStrategy[Any]] = {
    "value": JSON, "fields": BRIEFS | JSON, "at": TIMES, "state": st.booleans() | JSON, "gone": st.booleans(),
    "group": st.text(max_size=4) | JSON, "event": st.text(max_size=3) | st.sampled_from(["event-00000001-0000-4000-8000-000000000000"]),
    "detection": st.sampled_from(list(IDS.values())) | JSON, "correlation": st.sampled_from([correlation(kind) for kind in TYPES]) | JSON,
    "mark": JSON, "until": TIMES, "level": JSON,
}  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(list(TYPES)),
    st.lists(st.fixed_dictionaries({}, optional=ODD), min_size=1, max_size=12),
    st.data(),
)
def test_no_signal_stops_the_others(kind: str, odd: list[dict[str, Any]], data: Any) -> None:
    """Odd ones of the same group and others, among those of a quiet group."""
    alone, world = Kept(), Kept()
    quiet = story(kind, "quiet")
    alone.feed(*quiet, END)
    records = list(quiet)
    for number, fields in enumerate(odd):
        base = signal(data.draw(st.sampled_from(list(TYPES))), "g", number, number * 7)
        if {"mark", "until", "level"} & fields.keys():  # it must move no time here
            fields = {"mark": 30, "level": 1} | fields
        place = data.draw(st.integers(0, len(records)))
        records.insert(place, altered(base, **fields))
    world.feed(*records)
    world.start(ALL)
    world.feed(END)

    def told(kept: Kept) -> list[dict[str, Any]]:
        return [one for one in kept.standing() if one["group"] == {"g": "quiet"} and one["rule"] == correlation(kind)]  # fmt: skip

    assert told(world) == told(alone)
    assert not [value for value in world.dead if value in quiet]


@settings(max_examples=500, deadline=None)
@given(st.fixed_dictionaries({}, optional=ODD), st.sets(st.sampled_from(["id", "at", "value", "fields", "gone"]), max_size=1))  # fmt: skip
def test_what_is_read_at_once_is_what_the_model_reads(
    odd: dict[str, Any], without: set[str]
) -> None:
    whole = orjson.loads(signal("value_count", "g", 1, 1)) | odd
    record = orjson.dumps({name: one for name, one in whole.items() if name not in without})
    read: list[Any] = []
    for way in (codec.read, codec._by_model):
        try:
            read.append(way(record))
        except Malformed as why:
            read.append(str(why))
    assert read[0] == read[1]


def test_numbers_that_64_bit_do_not_hold_and_depths_are_refused() -> None:
    base = signal("value_count", "g", 1, 1)
    for odd in (
        b"1" * 30,
        b"[" * 70 + b"]" * 70,
        b'"\\ud800"',
        b"NaN",
        b'{"a":' + b"9" * 40 + b"}",
    ):
        record = base.replace(b'"value":"1"', b'"value":' + odd)
        assert record != base
        with pytest.raises(Malformed):
            codec.read(record)


def test_what_does_not_stand_cannot_be_said_to() -> None:
    """It is refused with a reason, for every type, and of a rule that stands too where another does not."""
    for kind in TYPES:
        world = Kept()
        bad = altered(signal(kind, "g", 0, 0), state=True, detection=IDS["a"])
        world.feed(*story(kind), bad, END)
        alone = Kept()
        alone.feed(*story(kind), END)
        assert world.dead == [bad], kind
        assert world.standing() == alone.standing(), kind


def _fails(scan: Any, known: int) -> None:
    _real(scan, known)
    if any(POISON in hit.brief for hit in scan.line.hits + scan.context.hits):
        raise ArithmeticError("nobody has thought of this")


_real: Callable[[Any, int], None] = RunScanner.scan


@pytest.mark.parametrize("kind", TYPES)
def test_an_error_that_nobody_knew_costs_one_record_only(kind: str) -> None:
    """In the midst of judging; the group goes on, also after a restart."""
    alone, world = Kept(), Kept()
    records = story(kind)
    alone.feed(*records, END)
    bad = altered(signal(kind, "g", 25, 31), fields={POISON: True}, value="new")
    with patch.object(RunScanner, "scan", _fails):
        world.feed(*records[:12], bad)
        world.start(ALL)
        world.feed(*records[12:], END)
    assert world.dead == [bad]
    assert world.standing() == alone.standing()


@pytest.mark.parametrize("name", ["load", "save"])
def test_a_group_that_cannot_be_read_or_kept_does_not_stop_the_others(name: str) -> None:
    """Where time passes in it there is no record that could be buried."""
    alone, world = Kept(), Kept()
    quiet = story("event_count", "quiet")
    alone.feed(*quiet, END)
    world.feed(*story("event_count", "bad"), *quiet)
    real = getattr(group_rows.StoredGroup, name)

    def fails(*args: Any) -> Any:
        if any(f"{correlation('event_count')}\nbad" in (one, getattr(one, "name", "")) for one in args):  # fmt: skip
            raise ArithmeticError("nobody has thought of this")
        return real(*args)

    with patch.object(group_rows.StoredGroup, name, fails):
        world.start(ALL)
        world.feed(END)
    told = [one for one in world.standing() if one["group"] == {"g": "quiet"}]
    assert told == alone.standing()
    assert [value.decode().partition("\n")[2] for value in world.dead] == ["bad"]


def test_hits_of_a_rule_that_a_correlation_no_longer_names_count_no_more() -> None:
    """It looked for a, b or c together, and now for a and b: a hit of c that was kept is no b."""
    kind = "temporal, or"
    a, c, b = (altered(signal(kind, "g", n, 300 + n), detection=IDS[rule]) for n, rule in enumerate("acb"))  # fmt: skip
    before, now = Kept(), changed(kind, TYPES["temporal"])
    before.feed(c)
    before.start(now)
    before.feed(a)
    assert before.standing() == []
    before.feed(c)
    assert (before.standing(), before.fold.counts[Outcome.UNKNOWN]) == ([], 1)
    before.feed(b, END)
    assert [one["count"] for one in before.standing()] == [2]
    assert not {key for key, row in before.rows.items() if row is not None} - {b"w"}


def changed(kind: str, text: str) -> DetectionEngine:
    """The content with other words for one correlation."""
    with patch.dict(TYPES, {kind: text}):
        return content()


def test_what_waits_to_be_told_is_told_after_a_restart_and_a_double() -> None:
    """The twenty-first new resource of an alert waits for a minute; a signal that says nothing new must not lose that."""
    world = Kept()
    records = [signal("event_count", "g", n, 0, resource=f"r{n:02d}") for n in range(30)]
    world.feed(mark(0), *records)
    (told,) = world.standing()
    assert told["distinct"]["resources"] < 30
    world.start(ALL)
    world.feed(records[0])
    world.feed(mark(61))
    (told,) = world.standing()
    assert told["distinct"]["resources"] == 30
