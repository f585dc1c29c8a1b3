"""Wishes to read again: bursts become one, nothing is committed before it is done, what fails is tried again."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.collectors.reread.queue import DEBOUNCE, FIRST_WAIT, LONGEST, RereadQueue, wish_of
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Read
from driftline.pipeline.records.topics import readers

NOW = 1_800_000_000.0


def wish(uid: str = "arn:a", after: float = -1, not_before: float | None = None, **more: Any) -> Read:  # fmt: skip
    def time(seconds: float) -> datetime:
        return datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)

    begin = None if not_before is None else time(not_before)
    given: dict[str, Any] = {"uid": uid, "type": "T", "account": "1", "region": "r", "reason": "change"}  # fmt: skip
    return Read(**given | more, after=time(after), not_before=begin)


def due(rereads: RereadQueue, now: float = NOW, most: int = 10) -> list[str]:
    return [one.wish.uid for one in rereads.due(now, most)]


def test_a_burst_is_one_reading_and_commits_all_its_wishes() -> None:
    rereads = RereadQueue()
    for offset in range(5):
        rereads.wish(wish(after=offset - 10), (0, offset), NOW)
    assert due(rereads) == ["arn:a"]
    assert rereads.committed() == {0: 0}
    rereads.done("arn:a")
    assert rereads.committed() == {0: 5}
    assert (rereads.coalesced, len(rereads)) == (4, 0)


def test_the_oldest_that_is_not_done_holds_the_commit() -> None:
    rereads = RereadQueue()
    rereads.wish(wish("arn:a", not_before=60), (0, 0), NOW)
    rereads.wish(wish("arn:b"), (0, 1), NOW)
    rereads.wish(wish("arn:c"), (1, 7), NOW)
    for uid in due(rereads):
        rereads.done(uid)
    assert rereads.committed() == {0: 0, 1: 8}
    assert due(rereads, NOW + 61) == ["arn:a"]


def test_what_is_under_way_is_read_once_more_for_a_later_wish() -> None:
    rereads = RereadQueue()
    rereads.wish(wish(), (0, 0), NOW)
    assert due(rereads) == ["arn:a"]
    rereads.wish(wish(), (0, 1), NOW)
    assert due(rereads) == []
    rereads.done("arn:a")
    assert rereads.committed() == {0: 1}
    assert due(rereads) == ["arn:a"]


def test_a_wish_waits_until_its_time_but_not_for_ever() -> None:
    rereads = RereadQueue()
    rereads.wish(wish("arn:a", not_before=5), (0, 0), NOW)
    rereads.wish(wish("arn:b", after=10**6), (0, 1), NOW)  # a clock that is ahead
    assert due(rereads, NOW + 4.9) == []
    assert due(rereads, NOW + 5) == ["arn:a"]
    assert due(rereads, NOW + LONGEST) == ["arn:b"]


def test_what_fails_is_tried_again_and_at_last_left() -> None:
    rereads = RereadQueue()
    rereads.wish(wish(), (0, 0), NOW)
    now, waits = NOW, []
    for _ in range(40):
        assert due(rereads, now) == ["arn:a"]
        if not rereads.again("arn:a", now):
            break
        following = rereads.next_due()
        assert following is not None
        waits.append(following - now)
        now = following
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert LONGEST < now - NOW < LONGEST + 120
    assert (rereads.given_up, rereads.committed(), len(rereads)) == (1, {0: 1}, 0)


def test_a_scope_is_not_read_again_at_once() -> None:
    rereads = RereadQueue()
    rereads.wish(wish("aws/1/r/T"), (0, 0), NOW)
    assert due(rereads) == ["aws/1/r/T"]
    rereads.done("aws/1/r/T")
    rereads.wish(wish("aws/1/r/T"), (0, 1), NOW + 1)
    assert due(rereads, NOW + 1) == []
    assert due(rereads, NOW + DEBOUNCE) == ["aws/1/r/T"]


def test_a_partition_that_is_lost_is_the_others() -> None:
    rereads = RereadQueue()
    rereads.wish(wish("arn:a"), (0, 0), NOW)
    rereads.wish(wish("arn:b"), (1, 0), NOW)
    rereads.lost(0)
    assert due(rereads) == ["arn:b"]
    assert rereads.committed() == {1: 0}


def test_no_more_than_asked_for() -> None:
    rereads = RereadQueue()
    for number in range(5):
        rereads.wish(wish(f"arn:{number}"), (0, number), NOW)
    assert len(due(rereads, most=2)) == 2
    assert len(due(rereads, most=0)) == 0
    assert len(due(rereads)) == 3


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_every_wish_is_followed_by_a_reading_before_it_is_committed(seed: int) -> None:
    """Wishes, readings and failures in any order: no offset is committed whose resource was not read since."""
    random, rereads, now = Random(seed), RereadQueue(), NOW
    wished: dict[int, tuple[str, float]] = {}
    read: dict[str, float] = {}
    began: dict[str, float] = {}
    for offset in range(60):
        now += random.random() * 3
        uid = f"arn:{random.randint(0, 4)}"
        rereads.wish(wish(uid), (0, offset), now)
        wished[offset] = (uid, now)
        for one in list(rereads.due(now, random.randint(0, 3))):
            began[one.wish.uid] = now
        for uid in [u for u in began if random.random() < 0.4]:
            if random.random() < 0.3:
                rereads.again(uid, now)
            else:
                read[uid] = began[uid]
                rereads.done(uid)
            del began[uid]
        for committed, (uid, at) in wished.items():
            if committed < rereads.committed()[0]:
                assert read[uid] >= at


UIDS = (
    "arn:aws:ec2:eu-west-1:1:instance/i-1", "/subscriptions/1/resourcegroups/g/providers/microsoft.storage/storageaccounts/s",
    "//storage.googleapis.com/projects/_/buckets/b", "aws/1/r/T", "plain",
)  # fmt: skip


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("scope", [True, False])
def test_a_scope_is_what_says_so_whatever_the_uid_looks_like(uid: str, scope: bool) -> None:
    rereads = RereadQueue()
    rereads.wish(wish(uid, scope=scope), (0, 0), NOW)
    (one,) = rereads.due(NOW, 1)
    assert one.wish.scope is scope
    rereads.done(uid)
    rereads.wish(wish(uid, scope=scope), (0, 1), NOW + 1)
    assert due(rereads, NOW + 2) == (
        [] if scope else [uid]
    )  # a scope is read at most every DEBOUNCE
    assert due(rereads, NOW + DEBOUNCE + 1) == ([uid] if scope else [])


def test_a_wish_to_another_provider_is_passed_over() -> None:
    for provider in ("azure", "gcp", "another"):
        other = json.loads(wish().encode()) | {"provider": provider}
        assert wish_of(json.dumps(other).encode(), "aws") is None
    assert wish_of(wish(provider="azure").encode(), "azure") == wish(provider="azure")
    assert wish_of(wish().encode(), "gcp") is None


def test_a_wish_of_the_last_release_is_awss() -> None:
    old = json.loads(wish("aws/1/r/T").encode())
    del old["provider"], old["scope"]
    found = wish_of(json.dumps(old).encode(), "aws")
    assert found is not None
    assert (found.provider, found.scope) == ("aws", True)


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"1", b"{}", b'{"provider": 1}', b"\xff", b"[" * 5000]
)
def test_what_is_no_wish_is_malformed(value: bytes) -> None:
    with pytest.raises(Malformed):
        wish_of(value, "aws")


def test_every_provider_has_a_group_of_its_own() -> None:
    assert readers("aws") == "driftline-reads"
    assert len({readers(provider) for provider in ("aws", "azure", "gcp")}) == 3
