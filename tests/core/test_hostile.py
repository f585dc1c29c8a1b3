"""Hostile records: each element is counted or goes to the dead letters with its reason; nothing stops the fold.

What a hostile text does where it is shown stands in tests/shells/test_report.py."""

import json
import time
from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Control, Drift, Finding, Part, Read, Record, Snapshot, Tick
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.proof.rules.proof import cases, document
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.records.topics import CONTROL, DRIFT, FINDINGS, READS, SNAPSHOTS
from driftline.pipeline.rulebook import Rule, load
from tests.core.world import START, UID, World, key, minute, rulebook, tick, value

READ = (Outcome.CHANGED, Outcome.OLDER, Outcome.UNCHANGED, Outcome.DUPLICATES, Outcome.BAD)


def partition() -> Partition:
    rows: dict[bytes, bytes] = {}
    return Partition(0, rows.get, rulebook())


def element(uid: str = UID, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(codec.encode_snapshot(key(0)))
    return made | {"uid": uid} | more


def spoiled(old: bytes, new: bytes) -> bytes:
    """A good element with one place in its text replaced."""
    text = orjson.dumps(element())
    assert old in text
    return text.replace(old, new, 1)


ON = b'"Enabled":true'
BAD = {
    "NaN": spoiled(ON, b'"Enabled":NaN'),
    "Infinity": spoiled(ON, b'"Enabled":-Infinity'),
    "a number too large": spoiled(ON, b'"Enabled":1e999'),
    "five thousand digits": spoiled(ON, b'"Enabled":' + b"9" * 5000),
    "65 bit": spoiled(ON, b'"Enabled":18446744073709551616'),
    "a lone surrogate": spoiled(ON, rb'"Enabled":"\ud800"'),
    "a lone surrogate as a key": spoiled(ON, rb'"\udfff":true'),
    "a lone surrogate in the uid": spoiled(b"arn:aws", rb"\ud800arn:aws"),
    "bytes that are no text": spoiled(ON, b'"Enabled":"\xff\xfe"'),
    "a name that is no text": spoiled(ON, b'"\xff":true'),
    "nested 70": spoiled(ON, b'"Enabled":' + b"[" * 70 + b"]" * 70),
    "nested 9,000": spoiled(ON, b'"Enabled":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000),
    "nested where nobody looks": spoiled(b'"account"', b'"x":' + b"[" * 5000 + b"]" * 5000 + b',"account"'),
    "words behind": orjson.dumps(element()) + b" x",
    "single quotes": b"{'uid': 'x'}",
    "nothing": b"",
    "null": b"null",
    "a number": b"17",
    "a text": b'"[{]}"',
    "a list": b"[1]",
    "no fields": b"{}",
    "a uid that is a number": orjson.dumps(element() | {"uid": 1}),
    "no uid": orjson.dumps({k: v for k, v in element().items() if k != "uid"}),
    "an empty uid": orjson.dumps(element("")),
    "a uid too long": orjson.dumps(element("x" * 2049)),
    "no time": orjson.dumps(element(captured_at="never")),
    "a time without a zone": orjson.dumps(element(captured_at="2026-01-01T00:00:00")),
    "a time before 1970": orjson.dumps(element(captured_at="1900-01-01T00:00:00Z")),
    "the last time": orjson.dumps(element(captured_at="9999-12-31T23:59:59.999999Z")),
    "a time that has no UTC": orjson.dumps(element(captured_at="0001-01-01T00:00:00+14:00")),
    "a part's time": orjson.dumps(element(parts=[{"name": "key", "captured_at": "0001-01-01T00:00:00Z"}])),
    "another cloud": orjson.dumps(element(provider="oracle")),
    "tags that are numbers": orjson.dumps(element(tags={"a": 1})),
    "tags that are a list": orjson.dumps(element(tags=["a"])),
    "no configuration": orjson.dumps(element(config=None)),
    "a reason of its own": orjson.dumps(element(unread=[{"part": "*", "reason": "because"}])),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_element_never_buries_its_batch(bad: bytes, place: int) -> None:
    good = [orjson.dumps(element(f"{UID}{n}")) for n in range(2)]
    p = partition()
    p.apply(SNAPSHOTS.name, codec.encode_batch([*good[:place], bad, *good[place:]]), 1)
    [dead] = p.take_dead()
    assert (dead.place, dead.value.strip()) == (place, bad.strip())
    assert dead.reason
    assert len(dead.reason) <= 500
    assert (p.counts[Outcome.CHANGED], p.counts[Outcome.BAD]) == (2, 1)
    assert len(p.take().outputs) == 6


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_record_alone_is_buried_whole(bad: bytes) -> None:
    p = partition()
    p.apply(SNAPSHOTS.name, bad, 1)
    p.apply(CONTROL.name, bad, 1)
    assert p.counts[Outcome.BAD] == 2
    assert len(p.take_dead()) == 2
    assert not p.take().rows


@pytest.mark.parametrize("record", [
    b"", b"[", b"]", b"[[", b'["', b"[1,", b"[}", b"[]]", b"[] []", b"\x00", b"\xff\xfe[]", b"\xef\xbb\xbf[]", b"[" * 100_000,
    orjson.dumps([element()]).decode().encode("utf-16"), orjson.dumps([element()])[:-1], b"x" * 20_000_000,
    b"[" + b"1," * 1_900_000 + b"1]", b"[NaN," + b"1," * 1_900_000 + b"1]", b"[" * 400_000 + b"]" * 399_998,
    b'["' + b'\\"' * 1_900_000 + b"]", b"[" + b'"' * 900_001 + b"]", b"[1,2,3]", b"[null,null]", b"[NaN,{}]",
], ids=range(24))  # fmt: skip
def test_a_record_that_is_no_batch_is_one_dead_letter(record: bytes) -> None:
    """However many elements it claims: a flood of letters would stop the worker, who takes it for a bad deploy."""
    p = partition()
    began = time.process_time()
    p.apply(SNAPSHOTS.name, record, 1)
    assert time.process_time() - began < 3
    [dead] = p.take_dead()
    assert dead.place == -1
    assert dead.value == record
    p.apply(SNAPSHOTS.name, value(key(0)), 2)
    assert len(p.take().outputs) == 3


def test_an_empty_batch_is_nothing() -> None:
    p = partition()
    p.apply(SNAPSHOTS.name, b"[]", 1)
    assert not p.take_dead()
    assert not p.counts


def test_a_newer_version_and_its_fields_are_taken() -> None:
    p = partition()
    newer = element(
        version=99,
        colour={"deep": [1]},
        parts=[{"name": "key", "captured_at": "2026-01-01T00:00:00Z", "etag": "x"}],
    )
    p.apply(SNAPSHOTS.name, orjson.dumps([newer]), 1)
    p.apply(CONTROL.name, orjson.dumps({"holiday": {"from": "2026-01-01"}}), 2)
    p.apply(
        CONTROL.name,
        orjson.dumps(
            {
                "tick": {"source": "sweep", "watermark": "2026-01-01T00:00:00Z", "by": "x"},
            }
        ),
        3,
    )
    assert not p.take_dead()
    assert p.counts[Outcome.CHANGED] == 1
    assert p.watermark > 0


def test_of_two_equal_keys_everybody_takes_the_same() -> None:
    """The look at the outline and the whole reading must not take one resource for two."""
    text = orjson.dumps([element("a")]).replace(b'"uid":"a"', b'"uid":"b","uid":"a"')
    [peek] = codec.peek(text)
    assert peek is not None
    assert peek.uid == codec.snapshot(codec.split(text)[0]).uid == "a"
    twice = text.replace(b'"config":{', b'"config":{"key":1},"config":{', 1)
    p = partition()
    p.apply(SNAPSHOTS.name, twice, 1)
    p.apply(SNAPSHOTS.name, twice, 2)
    assert (p.counts[Outcome.CHANGED], p.counts[Outcome.UNCHANGED]) == (1, 1)


@pytest.mark.parametrize("watermark", [
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "soon", None, {}, 1e300, -(2**63),
])  # fmt: skip
def test_a_tick_of_no_time_moves_nothing(watermark: Any) -> None:
    p = partition()
    p.apply(CONTROL.name, tick(5), 1)
    before = p.watermark
    p.apply(CONTROL.name, orjson.dumps({"tick": {"source": "sweep", "watermark": watermark}}), 2)
    assert p.watermark == before
    assert p.counts[Outcome.BAD] == 1
    assert not p.advance()


@given(st.binary(max_size=300))
def test_any_bytes_are_counted_or_buried(data: bytes) -> None:
    p = partition()
    p.apply(SNAPSHOTS.name, data, 1)
    p.apply(CONTROL.name, data, 2)
    counts = dict(p.counts)
    assert counts.get(Outcome.BAD, 0) == len(p.take_dead())
    assert sum(counts.get(name, 0) for name in READ) >= 1 or data.strip() in (b"[]", b"[ ]")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
fields = st.sampled_from(
    [*element(), "organization", "incarnation", "deleted", "unread", "related", "zz"]
)
pieces = st.one_of(
    st.sampled_from([*BAD.values()]),
    st.builds(lambda uid: orjson.dumps(element(uid)), st.sampled_from("abc")),
    st.builds(lambda field, v: _json(element() | {field: v}), fields, json_values),
    st.builds(lambda name, v: _json(element(config={"key": {"Enabled": v}, name: v})), st.text(max_size=5), json_values),
)  # fmt: skip


def _json(made: Any) -> bytes:
    return json.dumps(made).encode()  # writes NaN, huge integers and lone surrogates too


MODELS: dict[str, type[Record]] = {FINDINGS.name: Finding, DRIFT.name: Drift, READS.name: Read}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(pieces, min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_element_is_counted_or_buried(batches: list[list[bytes]]) -> None:
    """Whatever stands in it; and time goes on after it."""
    p = partition()
    rows: dict[bytes, bytes | None] = {}
    p.shard._get = rows.get
    for number, batch in enumerate(batches):
        p.counts.clear()
        p.apply(SNAPSHOTS.name, codec.encode_batch(batch), number)
        work = p.take()
        whole = any(dead.place == -1 for dead in work.dead)
        there = 0 if batch == [b""] else len(batch)  # a batch of nothing is one
        assert sum(p.counts[name] for name in READ) == (1 if whole else there)
        assert p.counts[Outcome.BAD] == len(work.dead)
        for output in work.outputs:
            MODELS[output.topic].model_validate_json(output.value)
        rows |= work.rows
    p.apply(CONTROL.name, tick(60 * 24 * 3), len(batches))
    while p.advance():
        pass
    assert not p.take_dead()


RULEBOOK = load()
HOSTILE: list[Any] = [
    None, True, 0, -1, 2**64 - 1, -(2**63), 1.5, 1e308, "", "x", "\x00", "2026-13-45", "arn:::::::", "*", "=cmd", [], {}, [[]], [None], [{}],
    [{"Effect": "Allow"}], {"Statement": 5}, {"Statement": [{"Effect": "Allow", "Principal": 5, "Condition": 7}]}, {"CidrIp": 4}, "x" * 20_000,
    {str(n): n for n in range(200)},
]  # fmt: skip


@pytest.mark.parametrize("rule", RULEBOOK.rules, ids=[rule.id for rule in RULEBOOK.rules])
def test_no_value_anywhere_stops_a_rule(rule: Rule) -> None:
    """Each hostile value in each place that a rule looks at: a verdict, or unknown; then time goes on."""
    base = document(rule, cases(rule)[0].example)
    fold = Fold(RULEBOOK.only([rule.id]))
    pairs = list(product(_places(base["config"], ()), HOSTILE))
    for number, (place, hostile) in enumerate(pairs[:: 1 + len(pairs) // 60]):
        config = orjson.loads(orjson.dumps(base["config"]))
        holder = config
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = hostile
        fold.snapshot(Snapshot(
            uid=f"arn:aws:x:::{number}", type=rule.type, provider="aws", account="111111111111", region="eu-west-1",
            captured_at=START, config=config, parts=[Part(name=name, captured_at=START) for name in config],
        ))  # fmt: skip
    assert not fold.dead
    fold.feed(
        "driftline.control", Control(tick=Tick(source="sweep", watermark=minute(60 * 30))).encode()
    )
    assert len(pairs) > 20
    for finding in fold.documents():
        Finding.model_validate(finding)


def _places(value: Any, before: tuple[Any, ...]) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for step, below in items:
        yield (*before, step)
        if isinstance(below, dict | list):
            yield from _places(below, (*before, step))


def test_a_policy_as_text_may_nest_as_deep_as_it_likes() -> None:
    """Text is text here: only who decodes it must mind its depth (collectors do, by the same decode)."""
    deep = "[" * 100_000 + "]" * 100_000
    world = World()
    world.snapshot(
        key(0).model_copy(
            update={"config": {"key": {"Enabled": deep}, "rotation": {"KeyRotationEnabled": True}}}
        )
    )
    assert not world.dead
    with pytest.raises(Malformed):
        codec.decode(deep.encode())


def test_a_state_that_no_record_could_hold_is_buried_and_the_known_one_stays() -> None:
    world = World()
    world.snapshot(key(0, rotation=False))
    large = key(1)
    large.config["rotation"]["Note"] = "x" * 3_950_000
    world.snapshot(large)
    (letter,) = world.dead
    assert letter.reason.startswith("a state of 39")
    assert world.brief() == ("open", "failed", "opened")
    world.snapshot(key(2))
    assert world.brief() == ("resolved", "passed", "fixed")
