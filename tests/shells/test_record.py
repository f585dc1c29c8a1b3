"""Recording: what is said before Kafka is asked, and how times are written. (That a tape replays to the same bytes is
tests/live/test_equal.)"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.recording import _value
from pipeline.topics import CHANGES, SNAPSHOTS
from pipeline.when import moment
from tests.core.world import change, key, value
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
    with pytest.raises(UserError, match=r"--from .*neither a duration nor a time"):
        moment("--from", text, NOON)


def test_mistakes(driftline: Command, tmp_path: Path) -> None:
    there = tmp_path / "there.ndjson"
    there.write_text("precious")
    for words, problem in [
        ((there,), "is there already"),
        ((tmp_path / "no" / "tape",), "no such folder"),
        ((tmp_path / "new", "--from", "1h", "--to", "2h"), "nothing between them"),
        ((tmp_path / "new", "--from", "soon"), "neither a duration nor a time"),
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
