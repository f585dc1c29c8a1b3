"""Every known event with odd values in its fields: changes, or Malformed; never another error, never without end.

DRIFTLINE_FUZZ=50 tries fifty times as many."""

import re
import time
from random import Random
from typing import Any

import orjson
import pytest

from driftline.collectors.aws.events.claims import RowMatch, claims
from driftline.collectors.aws.events.names import NoNames, fits
from driftline.collectors.aws.events.reads import reads
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.row import kinds
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Change
from driftline.pipeline.records import codec
from tests.collectors.events.odd import ODD, odd, put
from tests.collectors.events.samples import ASSUMED, OPENED, by_role, event

READER = ChangeReader(Redactor(b"k" * 32), "eventbridge", NoNames(), lambda _: True)
PATH = re.compile(r"(requestParameters|responseElements)((?:\.\w+)+)")


def example(source: str, name: str, found: list[RowMatch]) -> dict[str, Any]:
    """An event that has what its rows look for."""
    record = event(name, source)
    record["userIdentity"] = by_role("team/deploy", "ci")
    for claim in found:
        for top, below in PATH.findall(" ".join(claim.touch.paths)):
            steps = [top, *below.strip(".").split(".")]
            holder = record
            for step in steps[:-1]:
                inner = holder.get(step)
                holder[step] = holder = inner if isinstance(inner, dict) else {}
            holder.setdefault(steps[-1], "name-1")
    return record


def understood(record: Any) -> bool:
    """Whether a record gives changes; it is told as Malformed where not."""
    try:
        changes = READER.changes(record)
        wishes = reads(record, changes)
    except Malformed:
        return False
    for change in changes:
        travelled = codec.change(change.encode())
        assert isinstance(travelled, Change)
        assert (travelled.id, travelled.uid, travelled.actor) == (change.id, change.uid, change.actor)  # fmt: skip
    for wish in wishes:
        assert wish.encode()
    return True


def test_every_known_event_with_odd_values() -> None:
    random, good, bad = Random(13), 0, 0
    began = time.monotonic()
    for (source, name), found in sorted(claims().items()):
        for record in odd(example(source, name, found), 5, random):
            if understood(record):
                good += 1
            else:
                bad += 1
    assert good > bad > 0
    assert (time.monotonic() - began) / (good + bad) < 0.05


@pytest.mark.parametrize(
    "field", [*OPENED, "sharedEventID", "errorCode", "resources", "additionalEventData"]
)
def test_every_odd_value_in_every_field(field: str) -> None:
    for record in (OPENED, ASSUMED):
        for value in ODD:
            understood(put(record, (field,), value))


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_what_comes_as_bytes_is_understood_or_malformed(value: Any) -> None:
    """By the way that every source takes: bytes first."""
    try:
        data = orjson.dumps(put(OPENED, ("requestParameters", "groupId"), value))
        record = codec.decode(data)
    except (Malformed, TypeError):
        return
    assert understood(record) or codec.depth(data) > codec.MAX_DEPTH - codec.WRAPPED


def test_a_field_that_says_what_it_is_must_be_text() -> None:
    for field in ("eventID", "eventSource", "awsRegion", "recipientAccountId"):
        with pytest.raises(Malformed, match=f"{field} is no text"):
            READER.changes(OPENED | {field: ["x"]})


def test_a_record_too_large_to_travel_is_malformed() -> None:
    with pytest.raises(Malformed, match=" bytes "):
        READER.changes(OPENED | {"userAgent": "x" * 1_000_000})


def test_no_uid_makes_a_pattern_slow() -> None:
    hostile = ["arn:" + ":ec2:" * 400, "arn:" + ":" * 2000, "arn:aws:" + "/:" * 1000 + "\n"]
    began = time.process_time()
    for kind in kinds().values():
        for text in hostile:
            fits(kind, text)
    assert time.process_time() - began < 5


def test_the_reason_repeats_no_value() -> None:
    """Whatever the error: what it quotes may be a secret."""
    with pytest.raises(Malformed) as told, codec.one_record("x"):
        raise ValueError("password hunter2")
    assert "hunter2" not in str(told.value)
    assert "ValueError in tests/" in str(told.value)


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), SystemExit(3)])
def test_what_is_not_the_records_passes(error: BaseException) -> None:
    with pytest.raises(type(error)), codec.one_record("x"):
        raise error
