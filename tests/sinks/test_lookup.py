"""What is looked up in Elasticsearch is what the topic told: documents are read back, and both stores take the same."""

from typing import Any

import pytest

from driftline.sinks.elasticsearch import alert_documents, lookup, render
from tests.sinks.findings import NOW, SPECIAL, findings
from tests.sinks.test_alerts import ALERTS

LOST = {"links", "remediation", "evidence"}
"""What documents keep otherwise, and is looked at by itself."""


@pytest.mark.parametrize("special", SPECIAL)
def test_a_document_is_read_back_as_the_finding(special: str) -> None:
    one = findings()[special]
    if one.get("declared"):
        one["declared"] = {name: value for name, value in one["declared"].items() if value}
    back = lookup.finding(render.document(one, NOW, "default"))
    same = {name: value for name, value in one.items() if name not in LOST and value is not None}
    wrong = {
        name: (value, back.get(name))
        for name, value in same.items()
        if name not in ("rule", "resource", "sentence", "actor") and back.get(name) != value
    }
    assert wrong == {}
    assert back["rule"] | one["rule"] == back["rule"]
    for name, value in one["resource"].items():
        if value and name not in ("cloud_account", "tags"):
            assert back["resource"][name] == value, name
    joined = [
        {f"{key}={value}" for key, value in of["resource"]["tags"].items()} for of in (one, back)
    ]
    assert joined[0] == joined[1]  # a tag's name may have a = of its own
    assert {item["path"] for item in back["evidence"]} == {item["path"].replace("\0", "\ufffd") for item in one["evidence"]}  # fmt: skip
    if one.get("actor"):
        assert back["actor"]["id"] == one["actor"]["id"]


def test_every_way_to_mend_it_is_read_back() -> None:
    one = findings()["failed"]
    for ways in (
        {"console": "a\n\nb", "cli": "c", "terraform": "d {\n\n}"},
        {"cli": "c"},
        {"terraform": "t"},
        {},
    ):
        document = render.document(one | {"remediation": ways}, NOW, "default")
        assert lookup.finding(document)["remediation"] == ways


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one["title"])
def test_a_document_is_read_back_as_the_alert(alert: dict[str, Any]) -> None:
    back = lookup.alert(alert_documents.document(alert, NOW))
    assert set(back["tags"]) == {tag for tag in alert["tags"] if tag.startswith("attack.")}
    different = {name for name in alert if name != "tags" and back.get(name) != alert[name]}
    assert {name for name in different if alert[name]} == set()
