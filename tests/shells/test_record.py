"""Recording: what is said before Kafka is asked, and how times are written. (That a tape replays to the same bytes is
tests/live/test_equal.)"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka import client as kafka
from driftline.pipeline.kafka import recording
from driftline.pipeline.kafka.recording import _value
from driftline.pipeline.model import Baseline, Control, Gone
from driftline.pipeline.records import tape
from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS
from driftline.pipeline.settings.blocks import Kafka
from driftline.pipeline.settings.times import moment
from tests.core.world import change, key, minute, tick, value
from tests.shells.broker import Brokers
from tests.shells.command import Command

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, None),
        ("2h", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("3d", datetime(2025, 12, 29, 12, tzinfo=UTC)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T08:00:00+01:00", datetime(2026, 1, 1, 7, tzinfo=UTC)),
    ],
)
def test_times(text: str | None, found: datetime | None) -> None:
    assert moment("--from", text, NOON) == found


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "99999999999d", "-2h"])
def test_no_times(text: str) -> None:
    with pytest.raises(UserError, match=r"--from .*expected a duration or a time"):
        moment("--from", text, NOON)


def test_mistakes(driftline: Command, tmp_path: Path) -> None:
    there = tmp_path / "there.ndjson"
    there.write_text("precious")
    for words, problem in [
        ((there,), "already exists"),
        ((tmp_path / "no" / "tape",), "no such folder"),
        ((tmp_path / "new", "--from", "1h", "--to", "2h"), "must be before"),
        ((tmp_path / "new", "--from", "soon"), "expected a duration or a time"),
    ]:
        said = driftline("record", *words)
        assert (said.code, problem in said.err) == (2, True), said.err
    assert there.read_text() == "precious"


def test_what_states_tell_each_other_stays_out() -> None:
    chain = b'{"uid":"session:A","session":"B","at":"2026-01-01T00:00:00Z"}'
    own = change(1).encode()
    assert _value(CHANGES.name, b"[" + chain + b"]") is None
    assert _value(CHANGES.name, b"[" + chain + b"," + own + b"]") == b"[" + own + b"]"
    assert _value(SNAPSHOTS.name, value(key(0))) == value(key(0))


def test_what_goes_to_one_partition_is_recorded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A baseline goes to its resource's partition; time, and what is gone, to all of them: once each on the tape."""
    brokers = Brokers()
    brokers.make()
    monkeypatch.setattr(kafka, "Consumer", brokers.consumer)
    monkeypatch.setattr(kafka, "AdminClient", brokers.admin)
    at = {"at": minute(1)}
    baseline = Control(baseline=Baseline(uid="x", kind="approved", by="ann", **at)).encode()
    gone = Control(gone=Gone(provider="aws", account="1", reason="account_gone", **at)).encode()
    for number, partition in enumerate(brokers.log[CONTROL.name]):
        partition += [(b"", tick(0)), (b"", gone), *([(b"", baseline)] if number == 7 else []), (b"", b"{")]  # fmt: skip
    path = tmp_path / "t.ndjson"
    assert recording.record(Kafka(), path, None, None, lambda _: None) == (3, 1)
    told = [entry.value for entry in tape.read(path, pytest.fail)]
    assert sorted(map(json.loads, told), key=str) == sorted(map(json.loads, (tick(0), gone, baseline)), key=str)  # fmt: skip
