"""`route backtest`: the counts are those of the loop's own selector, by day and owner, and add up."""

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS, RESTATEMENTS
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.configured import configured
from driftline.sinks.route_backtest import RouteTally, summed
from tests.core.world import UID, change, gone, key, rulebook, tick, value
from tests.shells.command import Command
from tests.shells.conftest import driftline  # noqa: F401 - the command line in this process
from tests.shells.test_replay import HEADER, line, own_rules
from tests.sinks.findings import findings

SINKS: list[dict[str, Any]] = [
    {"name": "all", "kind": "elasticsearch"},
    {"name": "lines", "kind": "ndjson"},
    {"name": "mild", "kind": "elasticsearch", "match": "severity == 'low'",
     "severities": [{"path": ["111111111111"], "at_most": "low"}]},
    {"name": "none", "kind": "elasticsearch", "match": "account == 'x'"},
]  # fmt: skip
STORY = [
    ("snapshots", value(key(0, rotation=True, enabled=False), key(0, uid=UID + "b", rotation=False))),
    ("changes", b"[" + change(2, "ann").encode() + b"]"),
    ("snapshots", value(key(6, rotation=False, enabled=False), key(6, uid=UID + "b", rotation=False))),
    ("control", tick(60 * 13)),
    ("control", tick(60 * 30)),
    ("snapshots", value(key(60 * 30, rotation=False, enabled=False), gone(60 * 30, uid=UID + "b"))),
    ("control", tick(60 * 50)),
]  # fmt: skip


def tally(
    *documents: tuple[str, dict[str, Any]], sinks: list[dict[str, Any]] = SINKS
) -> RouteTally:
    out = RouteTally(configured(Settings.model_validate({"sinks": sinks})))
    for topic, document in documents:
        out.add(topic, orjson.dumps(document))
    return out


def test_each_kind_goes_where_it_would_and_is_counted_on_its_day() -> None:
    full, restated = findings()["full"], findings()["restated"]
    drift = {"id": "d", "resource": {"account": "1"}, "updated_at": "2026-02-03T00:00:00.000000Z"}
    alert = {"id": "a", "severity": "low", "rule": "r", "last": "2026-02-04T00:00:00.000000Z"}
    found = tally((FINDINGS.name, full), (FINDINGS.name, restated), (RESTATEMENTS.name, full), (DRIFT.name, drift), (ALERTS.name, alert))  # fmt: skip
    rows = {(one.sink, one.day, one.owner): one.counts for one in found.given()}
    day = full["last_seen"][:10]
    assert rows[("all", day, "payments")] == {"findings": 1, "repeated": 1}
    assert rows[("lines", day, "payments")] == {"findings": 1}, (
        "it is not given what is only said again"
    )
    assert rows[("all", "2026-02-03", "")] == {"drifts": 1}
    assert rows[("all", "2026-02-04", "")] == rows[("mild", "2026-02-04", "")] == {"alerts": 1}
    assert rows[("mild", day, "payments")] == {"findings": 1, "repeated": 1}, "of its own severity"
    assert not [key for key in rows if key[0] == "none"]
    for by in ("day", "owner"):
        sums: Counter[str] = Counter()
        for sink, _, counts in summed(found.given(), by):
            sums[sink] += counts.total()
        assert sums == {"all": 5, "lines": 1, "mild": 4}


def test_it_hears_all_that_the_fold_says() -> None:
    """Of every finding's last word and every drift, and of what was said before."""
    heard: list[tuple[str, bytes]] = []
    fold = Fold(rulebook(), told=lambda topic, value: heard.append((topic, value)))
    for topic, record in STORY:
        fold.feed(f"driftline.{topic}", record)
    said = [orjson.loads(value) for topic, value in heard if topic in (FINDINGS.name, RESTATEMENTS.name)]  # fmt: skip
    assert {one["id"]: one for one in said} == {one["id"]: one for one in fold.documents()}
    drifts = {orjson.loads(value)["id"]: value for topic, value in heard if topic == DRIFT.name}
    assert drifts == fold.drifts
    assert {topic for topic, _ in heard} == {FINDINGS.name, RESTATEMENTS.name, DRIFT.name}


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    own_rules(tmp_path)
    with (tmp_path / "driftline.yaml").open("a") as file:
        file.write(f"detections: {{builtin: false}}\nsinks: {orjson.dumps(SINKS).decode()}\n")
    path = tmp_path / "tape.ndjson"
    path.write_bytes(b"\n".join([HEADER, *(line(*one) for one in STORY)]) + b"\n")
    return path


def test_the_command(driftline: Command, tape: Path) -> None:  # noqa: F811
    said = driftline("route", "backtest", "--tape", tape, "--format", "json")
    assert said.code == 0
    told = orjson.loads(said.out)
    assert told["sinks"] == ["all", "lines", "mild", "none"]
    assert told["problems"] == []
    sums: Counter[str] = Counter()
    for one in told["given"]:
        sums[f"{one['sink']} {'repeated' in one['counts']}"] += sum(one["counts"].values())
    assert {one["sink"] for one in told["given"]} == {"all", "lines", "mild"}
    assert not any("repeated" in one["counts"] for one in told["given"] if one["sink"] == "lines")
    table = driftline("route", "backtest", "--tape", tape)
    assert table.code == 0
    assert max(map(len, table.out.splitlines())) <= 80
    assert [row for row in table.out.splitlines() if row.startswith("sink")] == [
        "sink   day         findings  drifts  alerts  repeated", "sink   owner   findings  drifts  alerts  repeated",
    ]  # fmt: skip
    again = driftline("route", "backtest", "--tape", tape, "--format", "json")
    assert again.out == said.out


def test_what_is_missing_is_said(driftline: Command, tape: Path) -> None:  # noqa: F811
    (tape.parent / "empty").mkdir()
    assert driftline("route", "backtest", "--tape", tape.parent / "empty").code == 3
    (tape.parent / "driftline.yaml").write_text("rules: {builtin: false}\n")
    said = driftline("route", "backtest", "--tape", tape)
    assert (said.code, "name no sink" in said.err) == (2, True)
