"""Hostile and broken bytes: refused with a reason, never a stop."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Snapshot
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS
from tests.core.world import START, key, rulebook, value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'"\\ud800"', "not JSON"),
        (b"NaN", "not JSON"),
        (b'{"a":1e999}', "not JSON"),
        (b"9" * 30, "64 bit"),
        (b"-9223372036854775809", "64 bit"),
        (b"[" * 65 + b"]" * 65, "deeper"),
        (b"[" * 100_000, "not JSON"),
        (b'"' + b"x" * codec.MAX_BYTES + b'"', "more than"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        codec.decode(data)


def test_what_is_just_allowed() -> None:
    assert codec.decode(b"18446744073709551615") == 2**64 - 1
    assert codec.decode(b"-9223372036854775808") == -(2**63)
    codec.decode(b"[" * 64 + b"]" * 64)
    assert codec.decode(b'"\\ud83d\\ude00"') == "\U0001f600"


HOSTILE = [
    b"", b"null", b"[]", b"[[]]", b"{}", b"17", b'"text"', b"[null]", b"[{}]", b"\x00", b"{not json",
    b'[{"uid":"' + b"x" * 5000 + b'"}]',
    b'{"uid":"u","type":"T","captured_at":"2026-01-01T00:00:00.000000Z"}',
    b'[{"uid":1,"type":2,"captured_at":3}]',
    b"[" * 3000 + b"]" * 3000,
    b'[{"uid":"a","type":"T","provider":"aws","account":"1","region":"r","captured_at":"never"}]',
    b"[" + b'{"a":' * 80 + b"1" + b"}" * 80 + b"]",
    b"x" * 20_000_000,
]  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_no_record_stops_the_fold(data: bytes) -> None:
    partition = Partition(0, lambda _: None, rulebook())
    partition.apply(SNAPSHOTS.name, data, 1)
    partition.apply(CONTROL.name, data, 1)
    work = partition.take()
    assert not work.outputs
    assert all(dead.reason for dead in work.dead)
    partition.apply(SNAPSHOTS.name, value(key(0)), 2)
    assert partition.take().outputs


@given(st.binary(max_size=300))
def test_no_bytes_stop_the_fold(data: bytes) -> None:
    partition = Partition(0, lambda _: None, rulebook())
    partition.apply(SNAPSHOTS.name, data, 1)
    partition.apply(CONTROL.name, data, 1)
    work = partition.take()
    assert not work.outputs
    assert all(dead.reason for dead in work.dead)


def test_a_newer_writers_fields_survive() -> None:
    newer = orjson.loads(key(0).encode()) | {"colour": "blue"}
    newer["parts"][0]["etag"] = "x"
    read = Snapshot.model_validate(newer)
    again = orjson.loads(read.encode())
    assert again["colour"] == "blue"
    assert again["parts"][0]["etag"] == "x"


def test_the_digest_knows_content_from_time() -> None:
    def digest(snapshot: Snapshot) -> bytes:
        peek = codec.peek(value(snapshot))[0]
        assert peek is not None
        return peek.digest(b"rules")

    base = digest(key(0))
    assert digest(key(1, sweep="another")) == base
    for other in (key(0, rotation=False), key(0, tags={"a": "b"}), key(0, rotation=None),
                  key(0, unread=[{"part": "x", "reason": "denied"}]), key(0, incarnation="2")):  # fmt: skip
        assert digest(other) != base


def test_canonical_bytes_do_not_depend_on_the_order_of_keys() -> None:
    one = key(0).model_copy(update={"config": {"a": {"x": 1, "y": None}, "b": 2}})
    two = key(0).model_copy(update={"config": {"b": 2, "a": {"y": None, "x": 1}}})
    assert codec.encode_snapshot(one) == codec.encode_snapshot(two)
    assert orjson.loads(codec.encode_snapshot(one))["config"]["a"]["y"] is None
    assert codec.snapshot(codec.encode_snapshot(one)).captured_at == START
