"""The input of detections: an audit event, a transition of a finding or a drift, as fields, and as the brief that an
alert shows. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import orjson

from driftline.pipeline.detections.rule import OWN
from driftline.pipeline.model import Change, from_micros, micros, to_micros
from driftline.pipeline.people.identity import (
    NOBODY_MAPPED,
    SERVICE,
    UNKNOWN,
    WORKLOAD,
    People,
    identify,
)
from driftline.pipeline.providers.installed import event_fields, provider
from driftline.pipeline.providers.provider import EventFields
from driftline.pipeline.rulebook import RuleSet
from driftline.pipeline.state.resource import Body

CHAIN = "chain"
HOW = {
    UNKNOWN: "person unknown", CHAIN: "identified by the chain of sessions", WORKLOAD: "a workload",
    "directory_user": "directory user", "federated": "authenticated by the identity provider",
}  # fmt: skip
"""How a person is known, by kind, in the words of an alert. What has none is named by the event
itself."""
MOST_NAMED = 3
"""Maximum number of resources in a brief by the names that the request gives them."""
LONGEST_TARGET = 300
"""Maximum length of a request as the target, in bytes; what is longer is cut and hashed."""
ORDER = ("informational", "low", "medium", "high", "critical")


class ObservedEvent(NamedTuple):
    """The input of detections."""

    id: str
    at: int
    product: str
    service: str
    fields: Mapping[str, Any]
    uid: str | None
    brief: dict[str, Any]
    """What an alert shows of it."""


def of_change(
    record: Change, known: Mapping[str, Any], people: People = NOBODY_MAPPED, past: Mapping[str, Any] | None = None
) -> ObservedEvent:  # fmt: skip
    """Builds the observed event of a change, with the open findings of its resource at that time (`known`, see
    DetectionEngine.known_of). `past`: `chain` and `chain_broken` of its actor."""
    log, people = provider(record.provider).audit, people.of(record.provider)
    service = log.service
    if record.kind == "reported":
        service = record.service.partition(".")[0]
    said = record.actor.model_dump(mode="json", exclude_none=True)
    actor = identify({**said, **(past or {})}, people)
    own: dict[str, Any] = {
        "type": "change", "uid": record.uid, "account": record.account, "region": record.region, "action": record.action,
        "kind": record.kind, "outcome": record.outcome, "actor": actor, "resource_type": record.type,
        "source_ip": record.source_ip, "resources": record.resources or [record.uid],
        **{name: value for name, value in known.items() if name != "owner"},
    }  # fmt: skip
    if (near := network(record.source_ip)) is not None:
        own["network"] = near
    own["target"] = record.uid if record.type else target(record, log.request(record))
    if (more := event_fields(record.provider)) is not None:
        own |= more.of_change(record, actor, people.id_of)
    named = None if record.actor.is_nobody else actor
    brief = {
        "at": from_micros(micros(record.occurred_at)), "what": record.action, "who": who(named), "known": _how(named, people.identities.words), "as": _taken(named),
        "from": record.source_ip,
        "with": record.actor.tool, "resource": record.uid if record.type else None, "named": _names(record, more), "account": record.account,
        "account_name": known.get("account_name"), "region": record.region, "failed": record.error if record.outcome == "failure" else None,
        "open": own.get("open") or None, "others": len(record.resources) - 1 if len(record.resources) > 1 else None,
        **_owned(known.get("owner")),
    }  # fmt: skip
    return ObservedEvent(
        record.id, micros(record.occurred_at), log.product, service, record.raw | {OWN: own},
        record.uid if record.type else None, {k: v for k, v in brief.items() if v is not None},
    )  # fmt: skip


def _names(record: Change, more: EventFields | None) -> str | None:
    """Returns what the request calls resources whose uid is not known; None if it names none."""
    names = record.named or (more.names(record) if more and record.type is None else [])
    if not names:
        return None
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def target(record: Change, request: Any) -> str:
    """Returns what a call is about whose resource is not known, as far as the request says; used for counting. Two
    requests that differ never have the same target."""
    said = orjson.dumps(request, option=orjson.OPT_SORT_KEYS)
    if len(said) > LONGEST_TARGET:
        cut = said[:LONGEST_TARGET].decode(errors="ignore")
        return f"{record.uid} {cut}… {sha256(said).hexdigest()[:16]}"
    return f"{record.uid} {said.decode()}"


@lru_cache(maxsize=4096)
def network(address: str | None) -> str | None:
    """Returns the network of an address: /24, or /48 for IPv6. None for the name of a service, or for an empty text."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return None
    return str(ip_network(f"{address}/{24 if found.version == 4 else 48}", strict=False))


def posture(body: Body, rules: RuleSet | None) -> dict[str, Any]:
    """Returns the open findings of a resource that no exception covers: rules, severities, and exposure."""
    found = {
        r: life for r, life in body.lives.items() if life.status == "open" and not life.suppressed
    }
    if not found:
        return {"open": [], "severities": [], "exposure": []}
    bounds = [bound for bound in rules.every if bound.id in found] if rules else []
    severities = {life.severity for life in found.values()}
    return {
        "open": sorted(found),
        "severities": sorted(severities),
        "worst": max(severities, key=lambda one: ORDER.index(one) if one in ORDER else 0),
        "exposure": sorted({bound.exposure for bound in bounds}),
        "privilege": sorted({bound.privilege for bound in bounds}),
    }


def known_owner(body: Body) -> dict[str, Any]:
    """Returns who owns a resource, where somebody is known to."""
    one = body.owner
    return {"owner": {"id": one.id, "found_by": one.found_by}} if one and one.id else {}


def related(body: Body) -> list[str]:
    """Returns the uids of related resources."""
    return [uid for one in body.related if isinstance(uid := one.get("uid"), str)]


def who(actor: Mapping[str, Any] | None, people: People = NOBODY_MAPPED) -> str | None:
    """Returns whom an alert names: the person if known, else the session (an ARN that ends with its name)."""
    return str(people.person(actor)["id"]) if actor else None


def _how(actor: Mapping[str, Any] | None, words: Mapping[str, str]) -> str | None:
    """Returns how the person is known (actor: as returned by driftline.pipeline.people.identity.identify); None if
    the event names it. `words`: the provider's own, by kind."""
    if actor is None:
        return None
    kind = actor["person"]["kind"]
    if kind not in (UNKNOWN, SERVICE) and actor.get("chain"):
        return HOW[CHAIN]
    return words.get(kind) or HOW.get(kind)


def _taken(actor: Mapping[str, Any] | None) -> str | None:
    """Returns the role in which a known person acted."""
    if actor is None or actor["type"] != "role":
        return None
    known = actor["person"]["kind"] not in (UNKNOWN, SERVICE)
    return str(actor["id"]) if known and actor["person"]["id"] != actor["id"] else None


def _identified(document: Mapping[str, Any], people: People) -> dict[str, Any] | None:
    actor = document.get("actor")
    return identify(actor, people) if actor else None


def of_finding(
    finding: Mapping[str, Any],
    body: Body,
    people: People = NOBODY_MAPPED,
    *,
    first_reading: bool = False,
) -> ObservedEvent:
    """Builds the observed event of a transition. `first_reading`: it may have been so since the resource was first
    read, and nothing says when that began."""
    resource, rule, at = finding["resource"], finding["rule"], finding["updated_at"]
    people = people.of(resource["provider"])
    own = {
        "type": "finding", "reason": finding["reason"], "status": finding["status"], "evaluation": finding["evaluation"],
        "rule": rule["id"], "severity": rule["severity"], "section": rule.get("section"), "reopened": finding["reopened"],
        "risk": finding["risk"]["score"], "attribution": finding.get("attribution"), "actor": _identified(finding, people),
        "exception": finding.get("exception"), **_resource(resource), "related": related(body),
        "first_reading": first_reading,
    }  # fmt: skip
    brief = {
        "at": at, "what": _said(finding), **_by(own["actor"], people), **_where(finding), "finding": finding["id"],
    }  # fmt: skip
    id = f"{finding['id']}:{finding['status']}:{at}"
    return ObservedEvent(id, to_micros(at) or 0, OWN, "finding", {"finding": finding, OWN: _there(own)}, resource["uid"], _there(brief))  # fmt: skip


def _said(finding: Mapping[str, Any]) -> str:
    """Returns the finding's sentence and its reason; the rule's title if it is only restated."""
    return f"{finding.get('sentence') or finding['rule']['title']} ({finding['reason']})"


def _account_name(resource: Mapping[str, Any]) -> str | None:
    return (resource.get("cloud_account") or {}).get("name") or None


def of_drift(
    drift: Mapping[str, Any], body: Body, rules: RuleSet | None, people: People = NOBODY_MAPPED
) -> ObservedEvent:
    """Builds the observed event of a drift; a later revision of the drift counts as the same event."""
    resource, at = drift["resource"], drift["at"]
    people = people.of(resource["provider"])
    paths = [change["path"] for change in drift["changes"]]
    own = {
        "type": "drift", "part": drift["part"], "paths": paths, "ops": sorted({c["op"] for c in drift["changes"]}),
        "attribution": drift["attribution"], "found_by": drift["found_by"], "baseline": drift["baseline"],
        "actor": _identified(drift, people), "change_set": drift.get("change_set"), **_resource(resource), "related": related(body),
        **posture(body, rules),
    }  # fmt: skip
    brief = {
        "at": at, "what": f"changed: {', '.join(paths[:3])}", **_by(own["actor"], people), **_where(drift),
        "drift": drift["id"],
    }  # fmt: skip
    return ObservedEvent(drift["id"], to_micros(at) or 0, OWN, "drift", {"drift": drift, OWN: _there(own)}, resource["uid"], _there(brief))  # fmt: skip


def _by(actor: Mapping[str, Any] | None, people: People) -> dict[str, Any]:
    """Returns who caused the drift (as returned by identify), in which role, from where and with which tool."""
    known = actor or {}
    return {
        "who": who(actor, people),
        "known": _how(actor, people.identities.words),
        "as": _taken(actor),
        "from": known.get("source_ip"),
        "with": known.get("tool"),
    }


def _where(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what it is about, and whose that is."""
    resource = document["resource"]
    return {
        "resource": resource["uid"], "account": resource["account"], "account_name": _account_name(resource),
        "region": resource["region"], **_owned(document.get("owner")),
    }  # fmt: skip


def _owned(owner: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"owner": owner["id"], "owner_found_by": owner["found_by"]} if owner else {}


def _resource(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uid": resource["uid"],
        "resource_type": resource["type"],
        "account": resource["account"],
        "region": resource["region"],
        "name": resource.get("name"),
    }


def _there(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value is not None}
