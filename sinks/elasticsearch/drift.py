"""A drift as an ECS document: what changed, where, and who did it. Pure."""

from typing import Any

from driftline.pipeline.model import from_micros, to_micros
from driftline.sinks.base import Action
from driftline.sinks.elasticsearch.render import ECS, VENDOR, named, owned

DATASET = "driftline.drift"


def stream(namespace: str) -> str:
    return f"logs-{DATASET}-{namespace}"


def actions(drift: dict[str, Any], now: int, namespace: str) -> list[Action]:
    """One document per revision: the highest revision of an id wins."""
    revision = int(drift["revision"])
    id = f"{drift['id']}:{revision}"
    return [Action("append", stream(namespace), id, revision, document(drift, now, namespace))]


def document(drift: dict[str, Any], now: int, namespace: str) -> dict[str, Any]:
    """The ECS document. `now` in microseconds."""
    resource, at = drift["resource"], to_micros(drift["at"])
    if at is None:
        raise ValueError(f"at is not a time: {drift['at']!r}")
    name, who = resource["name"] or resource["uid"], drift.get("actor")
    persons = _persons(drift)
    by = f" by {who.get('name') or who['id']}" if who else f" ({drift['attribution']})"
    if persons and not who:
        by = f" ({drift['attribution']}; some of it by {', '.join(persons[:3])})"
    out: dict[str, Any] = {
        "@timestamp": from_micros(min(at, now)),
        "ecs": {"version": ECS},
        "message": f"{name}: {_what(drift)}{by}",
        "event": {
            "id": drift["id"], "kind": "event", "category": ["configuration"], "type": [_type(drift)], "outcome": "success",
            "action": "drift", "created": drift["updated_at"], "ingested": from_micros(now), "dataset": DATASET,
            "module": "driftline",
        },
        "data_stream": {"type": "logs", "dataset": DATASET, "namespace": namespace},
        "observer": {"vendor": VENDOR, "product": VENDOR, "type": "cspm"},
        "cloud": {"provider": resource["provider"], "account": {"id": resource["account"]}, "region": resource["region"]},
        "resource": {
            "id": resource["uid"], "name": name, "type": resource["type"], "sub_type": resource["type"],
            "tags": [f"{k}={v}" for k, v in sorted(resource.get("tags", {}).items())],
        },
        "related": {"entity": [resource["uid"]]},
        "driftline": {"drift": {
            "id": drift["id"], "part": drift["part"], "attribution": drift["attribution"], "baseline": drift["baseline"],
            "found_by": drift["found_by"], "since": drift.get("since"), "revision": drift["revision"],
            "changes": drift["changes"], "paths": [change["path"] for change in drift["changes"]],
            "ops": sorted({change["op"] for change in drift["changes"]}),
            "candidates": [
                {"change": c["change"], "action": c["action"], "at": c["at"], "actor": c["actor"]["id"],
                 "person": (c["actor"].get("person") or {}).get("id"), "confidence": c["confidence"]}
                for c in drift["candidates"]
            ],
        }} | owned(drift),
    }  # fmt: skip
    if persons:
        out["driftline"]["drift"]["persons"] = persons
    for name in ("expected", "change_set"):
        if name in drift:
            out["driftline"]["drift"][name] = drift[name]
    if resource.get("organization"):
        out["organization"] = {"id": resource["organization"]}
    if who:
        out["driftline"]["drift"]["actor"] = named(out, who)
        out["user"] = {"name": who.get("name") or who["id"]}
    return out


def _persons(drift: dict[str, Any]) -> list[str]:
    """Who caused individual places."""
    return sorted({c["person"]["id"] for c in drift["changes"] if c.get("person")})


def _type(drift: dict[str, Any]) -> str:
    if drift["part"] != "*":
        return "change"
    return "creation" if drift["changes"][0]["op"] == "add" else "deletion"


def _what(drift: dict[str, Any]) -> str:
    """Description of the drift for event lists."""
    kind = _type(drift)
    if kind != "change":
        return "created" if kind == "creation" else "deleted"
    paths = [change["path"] for change in drift["changes"]]
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return f"changed at {', '.join(paths[:3])}{more}"
