"""The input of detections: an audit event, a transition of a finding or a drift, as fields, and as the brief that an
alert shows. Pure."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import orjson

from driftline.pipeline.detections.rule import OWN
from driftline.pipeline.model import Actor, Change, from_micros, micros, to_micros
from driftline.pipeline.people.identity import (
    HIDDEN,
    NOBODY_MAPPED,
    SERVICE,
    UNKNOWN,
    WORKLOAD,
    People,
    identify,
)
from driftline.pipeline.providers.installed import provider
from driftline.pipeline.rulebook import RuleSet
from driftline.pipeline.rulebook.aws.resource_policy import allows_cross_account
from driftline.pipeline.state.resource import Body

CHAIN = "chain"
HOW = {
    UNKNOWN: "person not known", CHAIN: "known by the chain of sessions", WORKLOAD: "a workload",
    "directory_user": "user of Identity Center", "federated": "vouched for by the identity provider",
}  # fmt: skip
"""How a person is known, by kind, in the words of an alert. IAM users and the root user are named by the event
itself."""
SIGN_IN = "signin.amazonaws.com"
MOST_NAMED = 3
"""Maximum number of resources in a brief by the names that the request gives them."""
LONGEST_TARGET = 300
"""Maximum length of a request as the target, in bytes; what is longer is cut and hashed."""
DOCUMENTS = (
    "assumeRolePolicyDocument",
    "policyDocument",
    "policy",
    "bucketPolicy",
    "resourcePolicy",
    "policyText",
)
"""Request parameters that set a policy."""
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
    log = provider(record.provider).audit
    service = log.service
    if record.kind == "reported":
        service = record.service.partition(".")[0]
    said = record.actor.model_dump(mode="json", exclude_none=True)
    actor = identify({**said, **(past or {})}, people)
    own: dict[str, Any] = {
        "type": "change", "uid": record.uid, "account": record.account, "region": record.region, "action": record.action,
        "kind": record.kind, "outcome": record.outcome, "actor": actor, "resource_type": record.type,
        "source_ip": record.source_ip, "resources": record.resources or [record.uid], **known,
    }  # fmt: skip
    if (near := network(record.source_ip)) is not None:
        own["network"] = near
    if name := login(record, actor):
        own["login"] = name
    if record.type == "AWS::IAM::User":
        own["subject"] = people.id_of(record.uid)
    own["target"] = record.uid if record.type else target(record)
    if (others := foreign(record.raw.get("requestParameters"), record.account)) is not None:
        own["foreign"] = others
    named = None if is_nobody(record.actor) else actor
    brief = {
        "at": from_micros(micros(record.occurred_at)), "what": record.action, "who": who(named), "known": _how(named), "as": _taken(named),
        "from": record.source_ip,
        "with": record.actor.tool, "resource": record.uid if record.type else None, "named": _names(record), "account": record.account,
        "account_name": known.get("account_name"), "region": record.region, "failed": record.error if record.outcome == "failure" else None,
        "open": own.get("open") or None, "others": len(record.resources) - 1 if len(record.resources) > 1 else None,
    }  # fmt: skip
    return ObservedEvent(
        record.id, micros(record.occurred_at), log.product, service, record.raw | {OWN: own},
        record.uid if record.type else None, {k: v for k, v in brief.items() if v is not None},
    )  # fmt: skip


def user_named(raw: Mapping[str, Any], account: str | None) -> str | None:
    """Returns the IAM user that an IAM call names, in the form of `login`, whether or not a sweep has seen it."""
    asked = raw.get("requestParameters")
    name = asked.get("userName") if isinstance(asked, dict) else None
    known = raw.get("eventSource") == "iam.amazonaws.com" and isinstance(name, str) and name and HIDDEN not in name  # fmt: skip
    return f"{account} {name}" if known else None


def _names(record: Change) -> str | None:
    """Returns what the request calls resources whose uid is not known; None if it names none."""
    names = record.named
    if not names and record.type is None and user_named(record.raw, record.account):
        names = [str(record.raw["requestParameters"]["userName"])]
    if not names:
        return None
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def login(record: Change, actor: Mapping[str, Any]) -> str | None:
    """Returns the user of a sign-in, in the same form for failures and successes: account and name for an IAM user (a
    failed sign-in does not include the path), the identity for others, whatever the map of people calls it. None if AWS
    hides it."""
    own = record.actor
    if record.service != SIGN_IN:
        return user_named(record.raw, record.account)
    if own.type == "root":
        return f"{own.account} root user"
    if own.type == "user" and ":user/" in own.id and actor["person"]["kind"] != "directory_user":
        return f"{own.account} {own.id.rpartition('/')[2]}"
    person = own.person.id if own.person else str(actor["person"]["id"])
    return None if is_nobody(own) else person


def is_nobody(actor: Actor) -> bool:
    """Returns whether an event names no actor, but only the account (the user of a sign-in is hidden, or not told)."""
    return actor.id in (actor.account, "unknown") and actor.type in ("user", "unknown")


def target(record: Change) -> str:
    """Returns what a call is about whose resource is not known, as far as the request says; used for counting. Two
    requests that differ never have the same target."""
    said = orjson.dumps(record.raw.get("requestParameters"), option=orjson.OPT_SORT_KEYS)
    if len(said) > LONGEST_TARGET:
        cut = said[:LONGEST_TARGET].decode(errors="ignore")
        return f"{record.uid} {cut}… {sha256(said).hexdigest()[:16]}"
    return f"{record.uid} {said.decode()}"


def foreign(parameters: Any, account: str) -> bool | None:
    """Returns whether a policy set by a request grants access to another account or to everyone. None if the request
    sets no policy, or if that cannot be determined."""
    for document in _documents(parameters if isinstance(parameters, dict) else {}):
        try:
            document = orjson.loads(document) if isinstance(document, str) else document
            if isinstance(document, dict):
                return allows_cross_account(document, account)
        except ValueError:  # not JSON, not a resource policy, or not understood
            continue
    return None


def _documents(parameters: Mapping[str, Any]) -> Iterator[Any]:
    """Returns the policies that a request may set."""
    yield from (parameters[name] for name in DOCUMENTS if name in parameters)
    if isinstance(attributes := parameters.get("attributes"), dict):
        yield attributes.get("Policy")
    if parameters.get("attributeName") == "Policy":
        yield parameters.get("attributeValue")


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


def related(body: Body) -> list[str]:
    """Returns the uids of related resources."""
    return [uid for one in body.related if isinstance(uid := one.get("uid"), str)]


def who(actor: Mapping[str, Any] | None, people: People = NOBODY_MAPPED) -> str | None:
    """Returns whom an alert names: the person if known, else the session (an ARN that ends with its name)."""
    return str(people.person(actor)["id"]) if actor else None


def _how(actor: Mapping[str, Any] | None) -> str | None:
    """Returns how the person is known (actor: as returned by driftline.pipeline.people.identity.identify); None if
    the event names it."""
    if actor is None:
        return None
    kind = actor["person"]["kind"]
    if kind not in (UNKNOWN, SERVICE) and actor.get("chain"):
        return HOW[CHAIN]
    return HOW.get(kind)


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
    own = {
        "type": "finding", "reason": finding["reason"], "status": finding["status"], "evaluation": finding["evaluation"],
        "rule": rule["id"], "severity": rule["severity"], "section": rule.get("section"), "reopened": finding["reopened"],
        "risk": finding["risk"]["score"], "attribution": finding.get("attribution"), "actor": _identified(finding, people),
        "exception": finding.get("exception"), **_resource(resource), "related": related(body),
        "first_reading": first_reading,
    }  # fmt: skip
    brief = {
        "at": at, "what": _said(finding), **_by(own["actor"], people), **_where(resource), "finding": finding["id"],
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
    paths = [change["path"] for change in drift["changes"]]
    own = {
        "type": "drift", "part": drift["part"], "paths": paths, "ops": sorted({c["op"] for c in drift["changes"]}),
        "attribution": drift["attribution"], "found_by": drift["found_by"], "baseline": drift["baseline"],
        "actor": _identified(drift, people), "change_set": drift.get("change_set"), **_resource(resource), "related": related(body),
        **posture(body, rules),
    }  # fmt: skip
    brief = {
        "at": at, "what": f"changed: {', '.join(paths[:3])}", **_by(own["actor"], people), **_where(resource),
        "drift": drift["id"],
    }  # fmt: skip
    return ObservedEvent(drift["id"], to_micros(at) or 0, OWN, "drift", {"drift": drift, OWN: _there(own)}, resource["uid"], _there(brief))  # fmt: skip


def _by(actor: Mapping[str, Any] | None, people: People) -> dict[str, Any]:
    """Returns who caused the drift (as returned by identify), in which role, from where and with which tool."""
    known = actor or {}
    return {
        "who": who(actor, people),
        "known": _how(actor),
        "as": _taken(actor),
        "from": known.get("source_ip"),
        "with": known.get("tool"),
    }


def _where(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what it is about."""
    return {
        "resource": resource["uid"], "account": resource["account"], "account_name": _account_name(resource),
        "region": resource["region"],
    }  # fmt: skip


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
