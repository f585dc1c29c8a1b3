"""States of earlier versions: rows written by the last release (state version 3) go on as if this version had written
them. The fixture was made by that release's own fold: records, and the rows that they led to."""

from base64 import b64decode
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS
from driftline.pipeline.state import rows as state_rows
from driftline.pipeline.state.rows import NewerState
from tests.core.world import UID, Kept, change, gone, heard, key, rulebook, tick, value

FIXTURE: dict[str, Any] = orjson.loads(
    (Path(__file__).parent / "fixtures/state-3.json").read_bytes()
)
A, B, C, D = (f"{UID}{letter}" for letter in "abcd")
LATER = [
    (SNAPSHOTS.name, value(key(60, False, True, A), key(60, True, False, B), key(60, False, True, C), key(60, uid=D))),
    (CHANGES.name, change(70, "bob", B).encode()),
    (SNAPSHOTS.name, value(key(75, False, True, A), key(75, True, True, B), gone(75, C), key(75, uid=D))),
    (CONTROL.name, heard(80)),
    (CONTROL.name, tick(80)),
    (SNAPSHOTS.name, value(key(90, False, True, A), key(90, True, True, B), key(90, uid=D))),
    (CONTROL.name, tick(900)),
]  # fmt: skip


def feed(kept: Kept, records: list[tuple[str, bytes]], first: int) -> list[dict[str, Any]]:
    said = []
    for number, (topic, record) in enumerate(records, first):
        kept.fold.apply(topic, record, number)
        while kept.fold.advance():
            pass
        said += kept.keep()
    return said


def without_reading(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The digest of a reading has changed: the first one is judged, where otherwise it would be recognised. And whom
    the last release named, it named without the person."""
    for finding in findings:
        (finding.get("actor") or {}).pop("person", None)
    return [{k: v for k, v in finding.items() if k != "evaluated_at"} for finding in findings]


def of_the_last_release() -> Kept:
    kept = Kept(rulebook())
    kept.rows = {b64decode(key): b64decode(row) for key, row in FIXTURE["rows"].items()}
    kept.start(rulebook())
    return kept


def test_rows_of_the_last_release_go_on() -> None:
    before = [(topic, record.encode()) for topic, record in FIXTURE["records"]]
    fresh, old = Kept(rulebook()), of_the_last_release()
    assert {row[state_rows._FIRST - 1] for row in old.rows.values()} == {3}
    feed(fresh, before, 0)
    assert without_reading(feed(old, LATER, len(before))) == without_reading(
        feed(fresh, LATER, len(before))
    )
    assert old.rows.keys() == fresh.rows.keys()


def test_redelivered_records_are_known_to_rows_of_the_last_release() -> None:
    kept = of_the_last_release()
    assert feed(kept, [(topic, record.encode()) for topic, record in FIXTURE["records"]], 0) == []


def test_a_row_of_a_newer_version_is_refused() -> None:
    kept = of_the_last_release()
    for key_, row in kept.rows.items():
        newer = bytearray(row)
        newer[state_rows._FIRST - 1] = state_rows.STATE_VERSION + 1
        kept.rows[key_] = bytes(newer)
    with pytest.raises(NewerState):
        kept.start(rulebook())
