"""An alert as an ECS document: one per alert, with its latest revision. Pure."""

from typing import Any

from driftline.pipeline.model import from_micros, to_micros
from driftline.sinks.base import Action
from driftline.sinks.elasticsearch.render import ECS, VENDOR, owned

DATASET = "driftline.alerts"


def index(namespace: str) -> str:
    return f"driftline-alerts-{namespace}"


def actions(alert: dict[str, Any], now: int, namespace: str) -> list[Action]:
    """The upsert: the highest revision of an id wins."""
    return [Action("upsert", index(namespace), alert["id"], int(alert["revision"]), document(alert, now))]  # fmt: skip


def document(alert: dict[str, Any], now: int) -> dict[str, Any]:
    """The ECS document. `now` in microseconds."""
    last = to_micros(alert["last"])
    if last is None:
        raise ValueError(f"last is not a time: {alert['last']!r}")
    techniques = [tag.removeprefix("attack.").upper() for tag in alert["tags"] if tag.startswith("attack.t")]  # fmt: skip
    tactics = [tag.removeprefix("attack.") for tag in alert["tags"] if tag.startswith("attack.") and tag.removeprefix("attack.").upper() not in techniques]  # fmt: skip
    sources = sorted({step["from"] for step in alert["story"] if step.get("from")})
    about = {name: alert[name] for name in ("merged_into", "continues") if alert.get(name)}
    out: dict[str, Any] = {
        "@timestamp": from_micros(min(last, now)),
        "ecs": {"version": ECS},
        "message": alert.get("sentence") or alert["title"],
        "event": {
            "id": alert["id"], "kind": "alert", "category": ["configuration", "threat"], "type": ["indicator"],
            "outcome": "unknown", "action": alert["state"], "created": alert["at"], "ingested": from_micros(now),
            "start": alert["begins"], "end": alert["last"], "dataset": DATASET, "module": "driftline",
        },
        "observer": {"vendor": VENDOR, "product": VENDOR, "type": "cspm"},
        "rule": {"id": alert["rule"], "name": alert["title"], "description": alert["description"]},
        "threat": {"technique": {"id": techniques}, "tactic": {"name": tactics}},
        "related": {"entity": sorted({*alert["resources"], *alert["actors"]}), "user": alert["actors"]},
        "source": {"address": sources},
        "driftline": {"alert": {
            "state": alert["state"], "severity": alert["severity"], "revision": alert["revision"], "count": alert["count"],
            "group": alert["group"], "resources": alert["resources"], "findings": alert["findings"],
            "actors": alert["actors"], "actions": alert.get("actions", []), "distinct": alert.get("distinct", {}),
            "story": alert["story"], "next": alert["next"],
            "false_positives": alert["false_positives"], "capped": alert.get("capped", False),
            "held_back": alert.get("held_back", False), **about,
        }} | owned(alert),
    }  # fmt: skip
    return out
