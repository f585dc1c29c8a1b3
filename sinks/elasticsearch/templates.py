"""Index templates: only searchable fields are mapped; user-defined names never become fields.

They also work on a minimal Elasticsearch (no ILM, no ingest pipelines, no wildcard or constant_keyword types)."""

import hashlib
import json
from typing import Any

from driftline.sinks.elasticsearch import alert_documents, drift
from driftline.sinks.elasticsearch.render import ALIAS, DATASET

LATEST, HISTORY, DRIFTS, ALERTS = (
    "driftline-latest",
    "driftline-history",
    "driftline-drift",
    "driftline-alerts",
)
KEYWORD: dict[str, Any] = {"type": "keyword", "ignore_above": 8191}
TEXT = {"type": "text"}
DATE = {"type": "date"}
LONG = {"type": "long"}
FLOAT = {"type": "float"}
BOOL = {"type": "boolean"}
FLAT: dict[str, Any] = {"type": "flattened", "ignore_above": 8191}


def _object(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


OWNED = {"owner": KEYWORD, "owner_found_by": KEYWORD}
ACTOR = _object(id=KEYWORD, type=KEYWORD, name=KEYWORD, account=KEYWORD, session=KEYWORD, session_name=KEYWORD,
                issuer=KEYWORD, tool=KEYWORD, source_ip=KEYWORD, chain=KEYWORD,
                person=_object(id=KEYWORD, kind=KEYWORD, name=KEYWORD, claimed=KEYWORD))  # fmt: skip


def mapping() -> dict[str, Any]:
    """The common mapping of latest view and history."""
    return {
        "dynamic": False,
        "date_detection": False,
        "properties": {
            "@timestamp": DATE,
            "message": TEXT,
            "ecs": _object(version=KEYWORD),
            "event": _object(
                id=KEYWORD, kind=KEYWORD, category=KEYWORD, type=KEYWORD, outcome=KEYWORD, action=KEYWORD,
                created=DATE, ingested=DATE, dataset=KEYWORD, module=KEYWORD, severity=LONG, risk_score=FLOAT,
            ),
            "data_stream": _object(type=KEYWORD, dataset=KEYWORD, namespace=KEYWORD),
            "observer": _object(vendor=KEYWORD, product=KEYWORD, type=KEYWORD),
            "organization": _object(id=KEYWORD),
            "cloud": _object(
                provider=KEYWORD, region=KEYWORD, account=_object(id=KEYWORD, name=KEYWORD), service=_object(name=KEYWORD)
            ),
            "resource": _object(id=KEYWORD, name=KEYWORD, type=KEYWORD, sub_type=KEYWORD, tags=KEYWORD),
            "result": _object(evaluation=KEYWORD, evidence=FLAT),
            "rule": _object(
                uuid=KEYWORD, id=KEYWORD, name=KEYWORD, version=KEYWORD, description=TEXT, rationale=TEXT,
                section=KEYWORD, reference=KEYWORD, remediation=TEXT, tags=KEYWORD, family=KEYWORD,
            ),
            "related": _object(entity=KEYWORD, user=KEYWORD, ip={"type": "ip"}),
            "host": _object(name=KEYWORD),
            "user": _object(name=KEYWORD),
            "driftline": _object(
                status=KEYWORD, reason=KEYWORD, cause=KEYWORD, severity=KEYWORD, original_severity=KEYWORD, revision=LONG, reopened=LONG,
                retired=BOOL, restated=BOOL, truncated=BOOL, pending_for=LONG, frameworks=FLAT,
                due_at=DATE, **OWNED, **{"class": KEYWORD},
                account=_object(kind=KEYWORD, ancestors=_object(kind=KEYWORD, id=KEYWORD, name=KEYWORD)),
                resource=_object(console_url=KEYWORD),
                declared=_object(workspace=KEYWORD, address=KEYWORD, repository=KEYWORD, path=KEYWORD),
                first_seen=DATE, last_seen=DATE, opened_at=DATE, resolved_at=DATE, evaluated_at=DATE, updated_at=DATE,
                drift=KEYWORD, attribution=KEYWORD,
                actor=ACTOR,
                exception=_object(id=KEYWORD, reason=TEXT, owner=KEYWORD, approver=KEYWORD, until=DATE),
                risk=_object(score=LONG, factors={"type": "object", "enabled": False}),
            ),
        },
    }  # fmt: skip


def fingerprint() -> str:
    """A fingerprint of the mapping."""
    return _hash(mapping())


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def templates() -> dict[str, dict[str, Any]]:
    """The templates by name, each with its fingerprint in `_meta`."""
    made = {LATEST: _latest(), HISTORY: _history(), DRIFTS: _drifts(), ALERTS: _alerts()}
    return {name: one | {"_meta": {"driftline": _hash(one)}} for name, one in made.items()}


def _latest() -> dict[str, Any]:
    """For the indices behind the alias, which only an installation creates: writes to a missing index (which a deletion with a
    version would create) are rejected. A deleted document's version is remembered for a day."""
    return {
        "index_patterns": [ALIAS, f"{ALIAS}-v*"],
        "priority": 300,
        "allow_auto_create": False,
        "template": {
            "settings": {"index": {"gc_deletes": "24h", "refresh_interval": "1s", "number_of_shards": 1,
                                   "auto_expand_replicas": "0-1"}},
            "mappings": mapping() | {"_meta": {"driftline": fingerprint()}},
        },
    }  # fmt: skip


def _history() -> dict[str, Any]:
    """For the data stream of transitions."""
    return {
        "index_patterns": [f"logs-{DATASET}-*"],
        "priority": 300,
        "data_stream": {},
        "template": {
            "settings": {"index": {"auto_expand_replicas": "0-1", "mode": "standard"}},
            "mappings": mapping() | {"_meta": {"driftline": fingerprint()}},
            "lifecycle": {"data_retention": "90d"},
        },
    }


def _drift_mapping() -> dict[str, Any]:
    """The mapping of drifts: common fields with findings, and their own."""
    shared = mapping()["properties"]
    names = ("@timestamp", "message", "ecs", "event", "data_stream", "observer", "organization", "cloud", "resource", "related", "user")  # fmt: skip
    own = _object(
        id=KEYWORD, part=KEYWORD, attribution=KEYWORD, baseline=KEYWORD, found_by=KEYWORD, since=DATE, revision=LONG,
        paths=KEYWORD, ops=KEYWORD, expected=BOOL, change_set=KEYWORD, changes={"type": "object", "enabled": False}, actor=ACTOR,
        candidates=_object(change=KEYWORD, action=KEYWORD, at=DATE, actor=KEYWORD, person=KEYWORD, confidence={"type": "float"}),
        persons=KEYWORD,
    )  # fmt: skip
    properties = {name: shared[name] for name in names} | {"driftline": _object(drift=own, **OWNED)}
    return {"dynamic": False, "date_detection": False, "properties": properties}


def _drifts() -> dict[str, Any]:
    """For the data stream of drifts: every revision; the highest one of an id wins."""
    return {
        "index_patterns": [f"logs-{drift.DATASET}-*"],
        "priority": 300,
        "data_stream": {},
        "template": {
            "settings": {"index": {"auto_expand_replicas": "0-1", "mode": "standard"}},
            "mappings": _drift_mapping(),
            "lifecycle": {"data_retention": "90d"},
        },
    }


def _alerts() -> dict[str, Any]:
    """For the index of alerts: one document each."""
    shared = mapping()["properties"]
    own = _object(
        state=KEYWORD, severity=KEYWORD, revision=LONG, count=LONG, group=FLAT, resources=KEYWORD, findings=KEYWORD,
        actors=KEYWORD, next=TEXT, false_positives=TEXT, capped=BOOL, held_back=BOOL, merged_into=KEYWORD, continues=KEYWORD,
        story={"type": "object", "enabled": False}, actions=KEYWORD, distinct=_object(resources=LONG, actions=LONG, actors=LONG, findings=LONG, values=LONG),
    )  # fmt: skip
    names = ("@timestamp", "message", "ecs", "observer", "rule", "related")
    properties = {name: shared[name] for name in names} | {
        "event": _object(**shared["event"]["properties"], start=DATE, end=DATE),
        "threat": _object(technique=_object(id=KEYWORD), tactic=_object(name=KEYWORD)),
        "source": _object(address=KEYWORD),
        "driftline": _object(alert=own, **OWNED),
    }
    return {
        "index_patterns": [alert_documents.index("*")],
        "priority": 300,
        "template": {
            "settings": {"index": {"auto_expand_replicas": "0-1", "number_of_shards": 1}},
            "mappings": {"dynamic": False, "date_detection": False, "properties": properties},
        },
    }
