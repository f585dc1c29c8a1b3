"""What Kibana's Findings page gets: golden documents, required fields, and that everything is mapped on purpose."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from driftline.pipeline.model import micros
from driftline.sinks.base import Action
from driftline.sinks.elasticsearch import render, templates
from tests.core.world import minute
from tests.sinks.findings import HOSTILE, NOW, SPECIAL, findings

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "pipeline" / "schemas" / "finding.json").read_text()
)
MUST = (
    "@timestamp", "event.id", "event.ingested", "data_stream.namespace", "data_stream.dataset", "resource.id",
    "resource.name", "result.evaluation", "rule.name", "rule.uuid", "observer.vendor",
    # sorted by, or grouped by: without a value the page's query fails, or the row is lost in a group
    "resource.sub_type", "rule.section", "cloud.account.id", "cloud.provider", "event.kind", "event.category", "event.type",
    "event.outcome", "cloud.service.name",
)  # fmt: skip

every = pytest.mark.parametrize("special", SPECIAL)


def actions(special: str, now: int = NOW, **changes: Any) -> list[Action]:
    return render.actions(findings()[special] | changes, now, "default")


def document(special: str, now: int = NOW, **changes: Any) -> dict[str, Any]:
    body = actions(special, now, **changes)[-1].body
    assert body is not None
    return body


def get(body: dict[str, Any], path: str) -> Any:
    value: Any = body
    for step in path.split("."):
        value = value[step]
    return value


@every
def test_the_findings_are_what_the_schema_says(special: str) -> None:
    jsonschema.validate(findings()[special], SCHEMA)


@every
def test_golden(special: str) -> None:
    """After a wanted change: python -m tests.sinks.test_render writes them; read the difference."""
    assert _plain(special) == json.loads((GOLDEN / f"{special}.json").read_text())


def _plain(special: str) -> list[Any]:
    said = [[a.op, a.target, a.id, a.version, a.body] for a in actions(special)]
    plain: list[Any] = orjson.loads(orjson.dumps(said))
    return plain


@every
def test_what_the_findings_page_needs_is_there(special: str) -> None:
    body = document(special)
    assert [path for path in MUST if get(body, path) in ("", [], None)] == []
    assert body["result"]["evaluation"] in ("passed", "failed", "unknown")
    assert body["cloud"]["provider"] == body["cloud"]["provider"].lower()


def test_nameless_things_still_have_every_value() -> None:
    finding = findings()["failed"]
    finding["resource"]["name"] = finding["rule"]["section"] = ""
    body = render.document(finding, NOW, "default")
    assert [path for path in MUST if get(body, path) in ("", [], None)] == []


def test_people_and_machines_are_entities() -> None:
    assert document("identity")["user"] == {"name": "ada"}
    assert document("identity")["related"]["user"] == ["ada"]
    assert document("compute")["host"] == {"name": "web-1"}
    assert not {"user", "host"} & set(document("failed"))


def test_who_it_was_where_from_and_whose_it_is() -> None:
    body = document("full")
    assert body["message"] == "rotation is off for key 1"
    assert body["related"]["ip"] == ["203.0.113.9"]
    assert body["related"]["user"] == ["ada", "arn:aws:iam::111111111111:role/deploy"]
    assert "bob" not in body["related"]["user"], "it only says so"
    assert body["driftline"]["owner"] == "payments"
    assert body["cloud"]["account"] == {"id": "111111111111", "name": "payments-prod"}


@pytest.mark.parametrize(
    "source", ["cloudformation.amazonaws.com", "AWS Internal", "1.2.3", "", None]
)
def test_an_address_that_is_none_is_in_no_field_of_addresses(source: str | None) -> None:
    actor = findings()["full"]["actor"] | {"source_ip": source}
    body = document("full", actor=actor)
    assert "ip" not in body["related"]
    assert body["driftline"]["actor"].get("source_ip") == (source or None)


def test_the_time_is_when_it_was_last_seen_and_never_in_the_future() -> None:
    seen = minute(0)
    assert document("failed")["@timestamp"] == "2026-01-01T00:00:00.000000Z"
    before = document("failed", now=micros(seen) - 5_000_000)
    assert before["@timestamp"] == before["event"]["ingested"] == "2025-12-31T23:59:55.000000Z"
    assert document("restated")["@timestamp"] > document("failed")["@timestamp"]


def test_a_restatement_is_no_history() -> None:
    assert [(a.op, a.target) for a in actions("restated")] == [("upsert", render.ALIAS)]


def test_a_retired_finding_leaves_the_view_and_stays_in_the_history() -> None:
    gone, kept = actions("retired")
    assert (gone.op, gone.target, gone.body) == ("delete", render.ALIAS, None)
    assert kept.op == "append"
    assert kept.body is not None
    assert kept.body["driftline"]["reason"] == kept.body["event"]["action"] == "resource_deleted"
    assert gone.version == kept.version


@pytest.mark.parametrize(
    "changes",
    [{"last_seen": "soon"}, {"last_seen": 5}, {"revision": "x"}, {"evaluation": "maybe"}, {"resource": None}, {"rule": []}],
)  # fmt: skip
def test_what_is_no_finding_is_refused_by_an_error_that_the_loop_buries(
    changes: dict[str, Any],
) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        actions("failed", **changes)


def test_user_given_names_never_become_fields() -> None:
    body = document("hostile")
    keys = set(_leaves({k: v for k, v in body.items() if k != "result"}))
    assert not any(HOSTILE in key for key in keys)
    [path] = body["result"]["evidence"]
    assert "\0" not in path
    assert orjson.loads(body["result"]["evidence"][path]) == {"a": [1, None, HOSTILE]}


FREE = {"result.evidence", "driftline.frameworks", "driftline.risk.factors"}
"""Stored as they are; the first two can be searched as flattened."""


@every
def test_every_field_is_mapped(special: str) -> None:
    mapped = set(_mapped(templates.mapping()["properties"]))
    shown = {path for path in _leaves(document(special)) if not any(path.startswith(f) for f in FREE)}  # fmt: skip
    assert shown - mapped == set()
    assert mapped >= FREE


def test_nothing_else_is_mapped_and_the_number_of_fields_is_small() -> None:
    mapping = templates.mapping()
    assert mapping["dynamic"] is False
    assert len(list(_mapped(mapping["properties"]))) < 200
    # a keyword of 3 bytes a character stays below Lucene's 32,766 bytes, a flattened one with its key
    assert templates.KEYWORD["ignore_above"] * 3 < 32_766
    assert templates.FLAT["ignore_above"] * 3 < 32_766 - 8000


def _leaves(value: dict[str, Any], before: str = "") -> Iterator[str]:
    for name, inner in value.items():
        each = inner if isinstance(inner, list) else [inner]
        for one in (one for one in each if isinstance(one, dict) and one):
            yield from _leaves(one, f"{before}{name}.")
        if not any(isinstance(one, dict) and one for one in each):
            yield before + name


def _mapped(properties: dict[str, Any], before: str = "") -> Iterator[str]:
    for name, inner in properties.items():
        if "properties" in inner:
            yield from _mapped(inner["properties"], f"{before}{name}.")
        else:
            yield before + name


if __name__ == "__main__":
    for name in SPECIAL:
        text = orjson.dumps(_plain(name), option=orjson.OPT_INDENT_2)
        (GOLDEN / f"{name}.json").write_bytes(text + b"\n")
