"""An alert as Elasticsearch keeps it: its story, who, on what; every field mapped."""

from typing import Any

import pytest

from driftline.pipeline.offline.content import watch
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.elasticsearch import alert_documents
from driftline.sinks.elasticsearch.templates import templates
from tests.correlate.test_stream import TITLE, fold, story
from tests.sinks.test_drift import unmapped

NOW = 1_900_000_000_000_000
ALERTS = fold(watch(Settings()), *(("driftline.changes", one) for one in story())).told_alerts()


def one(title: str) -> dict[str, Any]:
    return next(alert for alert in ALERTS if alert["title"] == title)


def test_it_is_upserted_by_its_revision() -> None:
    (action,) = alert_documents.actions(one(TITLE), NOW, "ns")
    assert (action.op, action.target, action.id) == ("upsert", "driftline-alerts-ns", one(TITLE)["id"])  # fmt: skip
    assert action.version == one(TITLE)["revision"]


def test_it_tells_what_triage_needs() -> None:
    document = alert_documents.document(one(TITLE), NOW)
    assert (
        document["message"]
        == f"{TITLE}, by ann, on alice (named in the request), in account 111111111111, 2 events"
    )
    assert document["threat"]["technique"]["id"] == ["T1562.008", "T1098.001"]
    assert document["threat"]["tactic"]["name"] == ["defense-evasion", "persistence"]
    assert [step["what"] for step in document["driftline"]["alert"]["story"]] == ["StopLogging", "CreateAccessKey"]  # fmt: skip
    assert document["event"]["kind"] == "alert"


def test_one_that_stands_no_more_says_so() -> None:
    gone = one(TITLE) | {"state": "merged", "merged_into": "x", "story": [], "actors": [], "resources": []}  # fmt: skip
    document = alert_documents.document(gone, NOW)
    assert (document["event"]["action"], document["driftline"]["alert"]["merged_into"]) == ("merged", "x")  # fmt: skip


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one["title"])
def test_every_field_is_mapped(alert: dict[str, Any]) -> None:
    mapping = templates()["driftline-alerts"]["template"]["mappings"]
    assert unmapped(alert_documents.document(alert, NOW), mapping, "") == []
