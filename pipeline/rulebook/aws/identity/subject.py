"""An identity as its parts say: policies by their names, what bounds them, and what of them is not known."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from driftline.pipeline.rulebook.aws.identity import managed
from driftline.pipeline.rulebook.aws.resource_policy import many
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, shown

PARTS = frozenset({"document", "inline_policies", "attached_policies", "attached_documents", "group_policies", "boundary"})  # fmt: skip


class UnreadFact(NamedTuple):
    """What is not known: in which part, and what it is."""

    part: str
    what: str


class PolicyNotRead(CannotEvaluate):
    """An answer hangs on what was not read."""

    def __init__(self, unread: UnreadFact) -> None:
        super().__init__(f"{unread.what} was not read")
        self.part = unread.part


@dataclass
class Subject:
    """What an identity has."""

    documents: dict[str, Any] = field(default_factory=dict)
    """Policies by how a person finds them: `inline policy own`, `policy deploys of group devs`."""
    boundary: dict[str, Any] | None = None
    """The permissions boundary, alike; None: there is none."""
    others: tuple[str, ...] = ()
    """ARNs of its groups and of the customer's policies that it has."""
    unread: tuple[UnreadFact, ...] = ()
    """Policies that are not known."""
    boundary_unread: UnreadFact | None = None
    role: bool = False


def subject(parts: Mapping[str, Any], kind: str = "", asked: Collection[str] = ()) -> Subject:
    """From parts of a configuration by their names (PARTS); those of `asked` that are not there were not read. Raises
    ValueError for what is none of these. Of a role (`kind`), what AWS has made for the roles of its services is left
    out: what they do is theirs."""
    found = Subject(role=kind == "role")
    missing = [part for part in asked if part not in parts]
    found.unread = tuple(
        UnreadFact(part, part) for part in missing if part not in ("boundary", "attached_documents")
    )
    if parts.get("document") is not None:
        found.documents[""] = parts["document"]
    _take(found, parts, "", "attached_documents")
    groups = parts.get("group_policies") or {}
    if not isinstance(groups, dict):
        raise CannotEvaluate(f"not policies of groups by their names: {shown(groups)}")
    for name, group in groups.items():
        if group is None:
            found.unread += (UnreadFact("group_policies", f"group {name}"),)
        else:
            found.others += (str(group.get("arn") or ""),)
            _take(found, group, f" of group {name}", "group_policies")
    _bound(found, parts)
    if "boundary" in missing:
        found.boundary, found.boundary_unread = {}, UnreadFact("boundary", "boundary")
    return found


def _take(found: Subject, parts: Mapping[str, Any], of: str, part: str) -> None:
    """The policies of an identity, or of a group that it is in; `part` is where documents stand."""
    inline = parts.get("inline_policies") or {}
    if not isinstance(inline, dict):
        raise CannotEvaluate(f"not policies by their names: {shown(inline)}")
    for name, document in inline.items():
        found.documents[f"inline policy {name}{of}"] = document
    for one in many(parts.get("attached_policies")):
        arn = str(one.get("PolicyArn") or "")
        if found.role and managed.is_services(arn):
            continue
        document = _document(arn, parts)
        if document is None:
            found.unread += (UnreadFact(part, f"policy {arn}"),)
        else:
            found.documents[f"policy {_name(arn)}{of}"] = document
        if not managed.is_aws(arn):
            found.others += (arn,)


def _bound(found: Subject, parts: Mapping[str, Any]) -> None:
    if (bound := parts.get("boundary")) is not None:
        arn = str(bound.get("PermissionsBoundaryArn") or "")
        document = _document(arn, parts)
        found.boundary = {} if document is None else {f"boundary {_name(arn)}": document}
        if document is None:
            found.boundary_unread = UnreadFact("attached_documents", f"boundary {arn}")


def _document(arn: str, parts: Mapping[str, Any]) -> Any:
    if managed.is_aws(arn):
        return managed.document(arn)
    return (parts.get("attached_documents") or {}).get(arn)


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
