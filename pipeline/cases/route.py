"""Assigns findings and alerts to tickets, and builds the records for it. Called by both other cores. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from driftline.pipeline.cases.excerpt import of_alert, of_finding
from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.model import MemberState, group_key
from driftline.pipeline.records import topics

Document = Mapping[str, Any]
NOWHERE = ""
"""The group of findings without a ticket."""


class TicketGroup(NamedTuple):
    """A ticket group."""

    key: str
    by: str
    values: list[str]


def _resource(document: Document) -> Document:
    return document.get("resource") or {}


def _rule(document: Document) -> str:
    rule = document["rule"]
    return str(rule["id"] if isinstance(rule, Mapping) else rule)


def _family(document: Document) -> str:
    rule = document["rule"]
    return str((isinstance(rule, Mapping) and rule.get("family")) or _rule(document))


def _unit(document: Document) -> str:
    """The organizational unit, folder, management group or subscription directly above the account."""
    ancestors = (_resource(document).get("cloud_account") or {}).get("ancestors") or ()
    return str(ancestors[0]["id"]) if ancestors else ""


FIELDS: Mapping[str, Callable[[Document], str]] = {
    "rule": _rule,
    "family": _family,
    "resource": lambda one: str(_resource(one).get("uid", "")),
    "account": lambda one: str(_resource(one).get("account", "")),
    "unit": _unit,
    "owner": lambda one: str((one.get("owner") or {}).get("id", "")),
    "declared": lambda one: str((one.get("declared") or {}).get("workspace", "")),
    "change": lambda one: str(one.get("drift") or ""),
    "alert": lambda one: "" if "resource" in one else str(one["id"]),
}
"""Functions by field name that return a document's value; empty if it has none."""


def group_of(document: Document, options: TicketOptions) -> TicketGroup:
    """The group of a document. An alert always has its own."""
    by = options.group_by if "resource" in document else ("alert",)
    values = [FIELDS[name](document) for name in by]
    return TicketGroup(group_key(",".join(by), values), ",".join(by), values)


def route(
    topic: str, document: Document, before: str, options: TicketOptions, *, as_found: bool = False
) -> tuple[str, list[dict[str, Any]]]:
    """The group that a document belongs to now (NOWHERE: none), and the MemberChange records that say so. `before`: the
    group that it belonged to. `topic`: without the deployment's prefix."""
    state = state_of(topic, document)
    wanted = topic in options.topics and (
        options.match is None or options.match.verdict(topic, document).takes
    )
    if wanted and before == NOWHERE and state != "failing":
        wanted = False  # only failing findings open a ticket
    group = group_of(document, options) if wanted else None
    base = {
        "id": f"{'finding' if topic == topics.FINDINGS.own else 'alert'}:{document['id']}",
        "revision": document["revision"],
        "at": document["updated_at"] if topic == topics.FINDINGS.own else document["last"],
        "state": state,
        "reason": str(document.get("reason") or document.get("state") or ""),
    }
    records = []
    if before not in (NOWHERE, group and group.key):
        records.append({"group": before, "by": "", "values": [], "op": "left"} | base)
    if group is not None:
        excerpt = of_finding(document) if topic == topics.FINDINGS.own else of_alert(document)
        records.append(
            {"group": group.key, "by": group.by, "values": group.values, "op": "changed" if before == group.key else "joined"}
            | base | {"as_found": as_found, "read_at": document.get("evaluated_at")} | excerpt
        )  # fmt: skip
    return group.key if group else NOWHERE, records


def state_of(topic: str, document: Document) -> MemberState:
    """The state of a member. An alert that has ended still needs attention: only people close its ticket."""
    if topic == topics.ALERTS.own:
        return "gone" if document["state"] in ("merged", "withdrawn") else "failing"
    if document.get("retired"):
        return "gone"
    if document["status"] == "suppressed":
        return "suppressed"
    if document["evaluation"] == "unknown":
        return "unknown"
    return "failing" if document["status"] == "open" else "passing"
