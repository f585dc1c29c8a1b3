"""`route explain`: every sink says whether it is given a document, and why."""

from typing import Any

import orjson
import pytest

from driftline.pipeline.kafka import stored_documents
from driftline.pipeline.records.topics import ALERTS, FINDINGS
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.configured import configured
from driftline.sinks.route_answers import routes
from tests.shells.command import Command
from tests.shells.conftest import driftline  # noqa: F401 - the command line in this process
from tests.sinks.findings import findings

SINKS: list[dict[str, Any]] = [
    {"name": "all", "kind": "elasticsearch"},
    {"name": "lines", "kind": "ndjson"},
    {"name": "mild", "kind": "elasticsearch", "match": "severity == 'low' && transition"},
    {"name": "unsure", "kind": "elasticsearch", "match": "tags.nobody == 'x'"},
]


def answers(topic: str, document: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    sinks = configured(Settings.model_validate({"sinks": SINKS}))
    return {one.sink: (one.given, one.why) for one in routes(sinks, topic, document)}


def test_each_sink_says_why() -> None:
    found = answers(FINDINGS.own, findings()["full"])
    assert found["all"] == found["lines"] == (True, "it has no match: it is given all that it reads")  # fmt: skip
    assert found["mild"] == (False, "does not hold: severity == 'low'")
    assert found["unsure"][0]
    assert "no answer" in found["unsure"][1]
    found = answers(ALERTS.own, {"severity": "low", "rule": "r"})
    assert found["lines"] == (False, "it does not read alerts")
    assert found["mild"] == (True, "match holds: severity == 'low' && transition")


def test_the_command(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    one = findings()["full"]
    monkeypatch.setenv("DRIFTLINE_SINKS", orjson.dumps(SINKS).decode())
    monkeypatch.setattr(stored_documents, "findings", lambda _, takes: [one] if takes(one) else [])
    monkeypatch.setattr(stored_documents, "alerts", lambda *_: [])
    said = driftline("route", "explain", one["id"][:8], "--format", "json")
    told = orjson.loads(said.out)
    assert (said.code, told["id"], told["topic"]) == (0, one["id"], "findings")
    assert {row["sink"]: row["given"] for row in told["sinks"]} == {"all": True, "lines": True, "mild": False, "unsure": True}  # fmt: skip
    [mild] = [row for row in told["sinks"] if row["sink"] == "mild"]
    assert [(part["text"], part["holds"]) for part in mild["parts"]] == [("severity == 'low'", False), ("transition", True)]  # fmt: skip
    drift = {"id": "d-12345678", "revision": 2, "resource": {"account": "1"}}
    monkeypatch.setattr(stored_documents, "drifts", lambda _, takes: [drift] if takes(drift) else [])  # fmt: skip
    of_drift = orjson.loads(driftline("route", "explain", "d-123456", "--format", "json").out)
    assert (of_drift["id"], of_drift["topic"]) == (drift["id"], "drift")
    assert {row["sink"]: row["given"] for row in of_drift["sinks"]} == {"all": True, "lines": False, "mild": False, "unsure": True}  # fmt: skip
    table = driftline("route", "explain", one["id"])
    assert "does not hold: severity == 'low'" in table.out
    assert driftline("route", "explain", "00000000").code == 3
    monkeypatch.setenv("DRIFTLINE_SINKS", "[]")
    assert driftline("route", "explain", one["id"]).code == 3
