"""Restatements in the latest view: they update only a document's times. Pure.

Every write has an external version: a complete finding its revision, a restatement its time in milliseconds, which is between
its revision and the next. So no write replaces a newer one, in whatever order they arrive."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from driftline.pipeline.model import from_micros, to_micros
from driftline.sinks.base import Action, Receipt
from driftline.sinks.elasticsearch.render import ALIAS

DONE = Receipt("done")


def actions(told: dict[str, Any]) -> list[Action]:
    """The action for a Restatement. Raises ValueError."""
    seen, revision = to_micros(told["last_seen"]), int(told["revision"])
    if seen is None or seen // 1000 <= revision:
        raise ValueError(f"last_seen {told['last_seen']!r} is not after revision {revision}")
    body = {"revision": revision, "last_seen": from_micros(seen)}
    return [Action("upsert", ALIAS, str(told["id"]), seen // 1000, body, behind=True)]


def merged(
    action: Action, found: Mapping[str, Any], now: int, sink: str
) -> Action | Receipt | None:
    """The write for a restatement, given the `_mget` result; a receipt if there is nothing to write; None if
    the finding that it belongs to is missing."""
    if error := found.get("error"):
        reason = f"{error.get('type')}: {error.get('reason')}"[:300]
        if "index_not_found" in reason:
            reason += f" (run: driftline sink {sink} --install)"
        return Receipt("again", reason)
    if not found.get("found"):
        return None
    told = action.body or {}
    revision = int(found["_source"]["driftline"]["revision"])
    if int(found["_version"]) >= action.version or revision > told["revision"]:
        return DONE
    if revision < told["revision"]:
        return None
    return onto(replace(action, behind=False, body=found["_source"]), told["last_seen"], now)


def onto(action: Action, last_seen: str, now: int) -> Action:
    """The upsert of a document with a later `last_seen`."""
    source, seen = dict(action.body or {}), to_micros(last_seen) or 0
    source["@timestamp"] = from_micros(min(seen, now))
    source["event"] = source["event"] | {"ingested": from_micros(now)}
    source["driftline"] = source["driftline"] | {"last_seen": last_seen, "restated": True}
    return replace(action, version=seen // 1000, body=source)
