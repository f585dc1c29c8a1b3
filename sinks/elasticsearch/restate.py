"""Restatements in the latest view: a document's times move on, and nothing else of it. Pure.

Every write has an external version: a whole statement its revision, a restatement its time in milliseconds, which lies between
the revision that it belongs to and the next. So no write undoes a newer one, in whatever order they come."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from driftline.pipeline.model import from_micros, to_micros
from driftline.sinks.base import Action, Receipt
from driftline.sinks.elasticsearch.render import ALIAS

DONE = Receipt("done")


def actions(told: dict[str, Any]) -> list[Action]:
    """What a Restatement asks for. Raises ValueError."""
    seen, revision = to_micros(told["last_seen"]), int(told["revision"])
    if seen is None or seen // 1000 <= revision:
        raise ValueError(f"last_seen {told['last_seen']!r} is not after revision {revision}")
    body = {"revision": revision, "last_seen": from_micros(seen)}
    return [Action("upsert", ALIAS, str(told["id"]), seen // 1000, body, behind=True)]


def merged(
    action: Action, found: Mapping[str, Any], now: int, sink: str
) -> Action | Receipt | None:
    """What is to be written where the answer of `_mget` tells what is there; a receipt where nothing is; None where the
    statement is missing that the restatement belongs to."""
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
    """An upsert of a document, seen once more."""
    source, seen = dict(action.body or {}), to_micros(last_seen) or 0
    source["@timestamp"] = from_micros(min(seen, now))
    source["event"] = source["event"] | {"ingested": from_micros(now)}
    source["driftline"] = source["driftline"] | {"last_seen": last_seen, "restated": True}
    return replace(action, version=seen // 1000, body=source)
