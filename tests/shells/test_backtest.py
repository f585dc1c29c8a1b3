"""Backtest: hits by rule and day, the same however the events are spread over files, doubled or shuffled."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from tests.detections.test_load import OTHER, RULE
from tests.shells.command import Command

AGAIN: dict[str, Any] = {
    "title": "Switched off and signed in", "id": "33333333-3333-4333-8333-333333333333", "name": "again",
    "correlation": {"type": "temporal", "rules": ["logging_off", "sign_in"], "group-by": ["who"], "timespan": "10m",
                    "aliases": {"who": {"logging_off": "actor", "sign_in": "user"}}},
}  # fmt: skip
TWICE: dict[str, Any] = {
    "title": "At all", "id": "44444444-4444-4444-8444-444444444444",
    "correlation": {"type": "event_count", "rules": ["again"], "group-by": ["who"], "timespan": "2d", "condition": {"gte": 1}},
}  # fmt: skip


def event(number: int, name: str, day: int = 1) -> dict[str, Any]:
    return {"eventID": f"e{number}", "eventName": name, "eventSource": "x.amazonaws.com", "eventTime": f"2026-11-0{day}T10:00:00Z",
            "actor": f"p{number % 2}", "user": f"p{number % 2}"}  # fmt: skip


EVENTS = [event(n, ["StopLogging", "ConsoleLogin", "GetObject"][n % 3], 1 + n % 2) for n in range(60)]  # fmt: skip


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yml").write_text(yaml.safe_dump(RULE))
    (folder / "b.yml").write_text(yaml.safe_dump(OTHER))
    (folder / "c.yml").write_text(yaml.safe_dump(AGAIN))
    (folder / "d.yml").write_text(yaml.safe_dump(TWICE))
    return folder


def logs(tmp_path: Path, seed: int) -> Path:
    """The same events, in other files, another order, some of them twice."""
    random, folder = Random(seed), tmp_path / f"logs{seed}"
    folder.mkdir()
    events = EVENTS + random.sample(EVENTS, 20) if seed else list(EVENTS)
    random.shuffle(events)
    (folder / "one.json").write_text(json.dumps({"Records": events[:20]}))
    (folder / "two.json.gz").write_bytes(gzip.compress(json.dumps({"Records": events[20:30]}).encode()))  # fmt: skip
    (folder / "three.ndjson").write_text("\n".join(json.dumps(e) for e in events[30:40]))
    (folder / "four.json").write_text(json.dumps(events[40:]))
    return folder


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_same_bytes_however_the_events_come(tmp_path: Path, rules: Path, driftline: Command, jobs: str) -> None:  # fmt: skip
    said = [
        driftline("backtest", "--detections", rules, "--cloudtrail", logs(tmp_path, seed), "--jobs", jobs, "--format", "json")
        for seed in (0, 1, 2)
    ]  # fmt: skip
    assert {one.code for one in said} == {0}
    assert len({one.out for one in said}) == 1
    found = json.loads(said[0].out)
    assert found["events"] == 60
    assert found["rules"] == {RULE["id"]: 20, OTHER["id"]: 20}
    assert sum(found["days"][RULE["id"]].values()) == 20
    assert found["correlations"] == {AGAIN["id"]: 2, TWICE["id"]: 2}


def test_a_table(tmp_path: Path, rules: Path, driftline: Command) -> None:
    said = driftline("backtest", "--detections", rules, "--cloudtrail", logs(tmp_path, 0))
    assert said.code == 0
    assert "Logging is switched off" in said.out
    assert "60 events of 4 files" in said.err


def test_what_cannot_be_read_is_told(tmp_path: Path, rules: Path, driftline: Command) -> None:
    folder = logs(tmp_path, 0)
    (folder / "bad.json.gz").write_bytes(b"\x1f\x8bnonsense")
    (folder / "half.ndjson").write_text(json.dumps(EVENTS[0]) + "\n{\n5\n")
    (rules / "bad.yml").write_text("title: x\n")
    said = driftline("backtest", "--detections", rules, "--cloudtrail", folder, "--format", "json")
    assert said.code == 3
    assert json.loads(said.out)["events"] == 60
    for told in ("bad.json.gz", "half.ndjson:2", "half.ndjson:3", "bad.yml"):
        assert told in said.err
    assert driftline("backtest", "--detections", rules, "--cloudtrail", tmp_path / "no").code == 2
