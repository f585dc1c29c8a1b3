"""Reads findings, alerts and drifts from Kafka topics, for use without a searchable sink."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from driftline.pipeline.kafka.client import explained, read_all, starts
from driftline.pipeline.model.finding import restated
from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS, RESTATEMENTS, Topic
from driftline.pipeline.settings.blocks import Kafka

RESTATED = timedelta(days=1)
"""Maximum age of the last restatement of a current finding: all are repeated every 12 hours."""


def findings(kafka: Kafka, takes: Callable[[Mapping[str, Any]], bool]) -> list[dict[str, Any]]:
    """The latest findings (model.Finding) that match, with `last_seen` from their restatements."""
    with explained(kafka):
        found = _newest(kafka, FINDINGS, takes)
        begin = starts(kafka, RESTATEMENTS.name, range(RESTATEMENTS.partitions), datetime.now(UTC) - RESTATED)  # fmt: skip
        for message in read_all(kafka, RESTATEMENTS.name, begin):
            again = _object(message.value())
            finding = found.get(str(again.get("id")))
            if finding and finding["revision"] == again.get("revision"):
                found[finding["id"]] = restated(finding, again["last_seen"])
    return list(found.values())


def alerts(kafka: Kafka, takes: Callable[[Mapping[str, Any]], bool]) -> list[dict[str, Any]]:
    """The latest alerts (model.Alert) that match, as far back as the topic goes."""
    with explained(kafka):
        return list(_newest(kafka, ALERTS, takes).values())


def drifts(kafka: Kafka, takes: Callable[[Mapping[str, Any]], bool]) -> list[dict[str, Any]]:
    """The latest drifts (model.Drift) that match, of the 30 days that the topic keeps."""
    with explained(kafka):
        return list(_newest(kafka, DRIFT, takes).values())


def _newest(
    kafka: Kafka, topic: Topic, takes: Callable[[Mapping[str, Any]], bool]
) -> dict[str, dict[str, Any]]:
    """Documents by id. Malformed records are skipped; they are in the dead letters."""
    found: dict[str, dict[str, Any]] = {}
    revisions: dict[str, int] = {}
    for message in read_all(kafka, topic.name):
        one = _object(message.value())
        try:
            id, revision, taken = str(one["id"]), int(one["revision"]), takes(one)
        except (KeyError, TypeError, ValueError, AttributeError):
            found.pop(
                (message.key() or b"").decode(errors="replace"), None
            )  # a tombstone, or not a finding
            continue
        if revision < revisions.get(id, -1):
            continue  # delivered twice
        revisions[id] = revision
        found.pop(id, None)
        if taken:
            found[id] = one
    return found


def _object(value: bytes | None) -> dict[str, Any]:
    try:
        found = orjson.loads(value or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
