"""A finding in the format of Kibana's native Findings page (latest view), and for the history. Pure."""

from ipaddress import ip_address
from typing import Any

import orjson

from driftline.pipeline.model import from_micros, to_micros
from driftline.pipeline.report.totals import controls
from driftline.sinks.base import Action

VENDOR = "Driftline"
DATASET = "driftline.findings"
ALIAS = "security_solution-driftline.misconfiguration_latest"
ECS = "9.2.0"
SEVERITY = {"informational": 1, "low": 21, "medium": 47, "high": 73, "critical": 99}
"""Elastic Security's numbers for severities."""
REMEDIATION = (("console", "Console"), ("cli", "Command line"), ("terraform", "Terraform"))
"""The kinds of remediation, with their titles in the document's single text."""
OUTCOME = {"passed": "success", "failed": "failure", "unknown": "unknown"}


def history_stream(namespace: str) -> str:
    return f"logs-{DATASET}-{namespace}"


def actions(finding: dict[str, Any], now: int, namespace: str) -> list[Action]:
    """The upsert or deletion in the latest view and, unless it is only a repetition, one history document."""
    revision, id = int(finding["revision"]), str(finding["id"])
    body = document(finding, now, namespace)
    latest = Action("delete" if finding["retired"] else "upsert", ALIAS, id, revision,
                    None if finding["retired"] else body)  # fmt: skip
    if finding["restated"]:
        return [latest]
    return [latest, Action("append", history_stream(namespace), f"{id}:{revision}", revision, body)]


def document(finding: dict[str, Any], now: int, namespace: str) -> dict[str, Any]:
    """The ECS document. `now` in microseconds: a document with a future @timestamp would be hidden."""
    rule, resource, remediation = finding["rule"], finding["resource"], finding["remediation"]
    seen = to_micros(finding["last_seen"])
    if seen is None:
        raise ValueError(f"last_seen is not a time: {finding['last_seen']!r}")
    name = resource["name"] or resource["uid"]
    out: dict[str, Any] = {
        "@timestamp": from_micros(min(seen, now)),
        "ecs": {"version": ECS},
        "message": finding.get("sentence") or f"{rule['title']}: {finding['evaluation']} ({name})",
        "event": {
            "id": finding["id"], "kind": "state", "category": ["configuration"], "type": ["info"],
            "outcome": OUTCOME[finding["evaluation"]], "action": finding["reason"],
            "created": finding["updated_at"], "ingested": from_micros(now),
            "dataset": DATASET, "module": "driftline", "severity": SEVERITY[rule["severity"]],
            "risk_score": finding["risk"]["score"],
        },
        "data_stream": {"type": "logs", "dataset": DATASET, "namespace": namespace},
        "observer": {"vendor": VENDOR, "product": VENDOR, "type": "cspm"},
        "cloud": {
            "provider": resource["provider"], "account": {"id": resource["account"]},
            "region": resource["region"], "service": {"name": (rule["section"] or "other").lower()},
        },
        "resource": {
            "id": resource["uid"], "name": name, "type": resource["type"],
            "sub_type": resource["type"], "tags": [f"{k}={v}" for k, v in sorted(resource.get("tags", {}).items())],
        },
        "result": {"evaluation": finding["evaluation"], "evidence": _evidence(finding["evidence"])},
        "rule": {
            "uuid": rule["uuid"], "id": rule["id"], "name": rule["title"], "version": str(rule["version"]),
            "description": rule.get("why") or rule["title"], "rationale": rule.get("why", ""),
            "section": rule["section"] or "Other", "reference": "\n".join(rule.get("references", [])),
            "remediation": _remediation(remediation),
            "tags": controls(rule),
        },
        "related": {"entity": [resource["uid"]]},
        "driftline": {
            "status": finding["status"], "reason": finding["reason"], "cause": finding.get("cause") or finding.get("detail", ""),
            "severity": rule["severity"], **({"original_severity": original} if (original := rule.get("original_severity")) else {}), "risk": finding["risk"], "revision": finding["revision"],
            "reopened": finding["reopened"], "retired": finding["retired"], "restated": finding["restated"],
            "frameworks": rule.get("frameworks", {}),
            **{k: finding[k] for k in ("first_seen", "last_seen", "opened_at", "resolved_at", "evaluated_at", "updated_at",
                                       "pending_for", "due_at", "truncated") if finding.get(k) is not None},
        },
    }  # fmt: skip
    _more(out["driftline"], finding)
    if rule.get("family"):
        out["rule"]["family"] = rule["family"]
    if account := resource.get("cloud_account"):
        _account(out, account)
    if actor := finding.get("actor"):
        out["driftline"]["actor"] = named(out, actor)
    if resource.get("organization"):
        out["organization"] = {"id": resource["organization"]}
    if resource.get("class") == "compute":
        out["host"] = {"name": name}
    if resource.get("class") == "identity":
        out["user"] = {"name": name}
        out["related"]["user"] = sorted({name, *out["related"].get("user", ())})
    return out


def _more(own: dict[str, Any], finding: dict[str, Any]) -> None:
    """Driftline's optional fields."""
    if word := finding["resource"].get("class"):
        own["class"] = word
    own |= owned(finding)
    if finding.get("drift"):
        own |= {"drift": finding["drift"], "attribution": finding.get("attribution")}
    if exception := finding.get("exception"):
        own["exception"] = exception
    if links := finding.get("links"):
        own["resource"] = {"console_url": links[0]}
    if code := finding.get("declared"):
        own["declared"] = {key: value for key, value in code.items() if value}


def owned(document: dict[str, Any]) -> dict[str, str]:
    """The owner in documents: a keyword, and how it was found or why it is unknown."""
    owner = document.get("owner")
    if not owner:
        return {}
    return {"owner_found_by": owner["found_by"]} | ({"owner": owner["id"]} if owner["id"] else {})


def _account(out: dict[str, Any], account: dict[str, Any]) -> None:
    """The resource's account, and its ancestors."""
    if account.get("name"):
        out["cloud"]["account"]["name"] = account["name"]
    above = [
        {key: one[key] for key in ("kind", "id", "name") if one.get(key)}
        for one in account.get("ancestors", ())
    ]
    out["driftline"]["account"] = {"kind": account["kind"]} | (
        {"ancestors": above} if above else {}
    )


def named(out: dict[str, Any], actor: dict[str, Any]) -> dict[str, Any]:
    """An actor in documents; also added to the related entities, users and addresses."""
    own = {key: actor[key] for key in ("id", "type", "name", "account", "session", "session_name", "issuer", "tool", "source_ip") if actor.get(key)}  # fmt: skip
    if chain := actor.get("chain"):
        own["chain"] = [link["issued_to"] for link in chain]
    entities, users = {*out["related"]["entity"], actor["id"]}, {actor.get("name") or actor["id"]}
    if person := actor.get("person"):
        own["person"] = {key: person[key] for key in ("id", "kind", "name", "claimed") if person.get(key)}  # fmt: skip
        entities.add(person["id"])
        users.add(person.get("name") or person["id"])  # claims are not names
    out["related"] |= {"entity": sorted(entities), "user": sorted(users)}
    if address := _address(actor.get("source_ip")):
        out["related"]["ip"] = [address]
    return own


def _address(text: str | None) -> str | None:
    """A valid IP address; calls by cloud services have host names instead."""
    try:
        return str(ip_address(text or ""))
    except ValueError:
        return None


def _evidence(evidence: list[dict[str, Any]]) -> dict[str, Any]:
    """Evidence as a flattened field of strings, so that value types never conflict in the mapping."""
    return {
        item["path"].replace("\0", "\ufffd"): value  # not allowed in flattened keys
        if isinstance(value := item["value"], str)
        else orjson.dumps(value).decode()
        for item in evidence
    }


def _remediation(remediation: dict[str, Any]) -> str:
    return "\n\n".join(
        f"{title}:\n{remediation[k].strip()}" for k, title in REMEDIATION if remediation.get(k)
    )
