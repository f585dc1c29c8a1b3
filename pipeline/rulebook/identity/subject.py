"""An identity as its parts say: policies by their names, what bounds them, and what of them is not known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.rulebook.identity import managed
from pipeline.rulebook.policy import many


@dataclass
class Subject:
    """What an identity has."""

    documents: dict[str, Any] = field(default_factory=dict)
    """Policies by how a person finds them: `inline policy own`, `policy deploys of group devs`."""
    boundary: dict[str, Any] | None = None
    """The permissions boundary, alike; None: there is none."""
    others: tuple[str, ...] = ()
    """ARNs of its groups and of the customer's policies that it has."""
    unread: tuple[str, ...] = ()
    """Policies whose documents are not known."""
    boundary_unread: str = ""
    role: bool = False


def subject(parts: Mapping[str, Any], kind: str = "") -> Subject:
    """From parts of a configuration by their names: document, inline_policies, attached_policies with
    attached_documents, group_policies, boundary. Raises ValueError for what is none of these. Of a role (`kind`), what
    AWS has made for the roles of its services is left out: what they do is theirs."""
    found = Subject(role=kind == "role")
    if parts.get("document") is not None:
        found.documents[""] = parts["document"]
    _take(found, parts, "")
    groups = parts.get("group_policies") or {}
    if not isinstance(groups, dict):
        raise ValueError("not policies of groups by their names")
    for name, group in groups.items():
        found.others += (str(group.get("arn") or ""),)
        _take(found, group, f" of group {name}")
    if (bound := parts.get("boundary")) is not None:
        arn = str(bound.get("PermissionsBoundaryArn") or "")
        document = managed.document(arn) if managed.is_aws(arn) else bound.get("document")
        found.boundary = {f"boundary {_name(arn)}": document}
        found.boundary_unread = arn if document is None else ""
    return found


def _take(found: Subject, parts: Mapping[str, Any], of: str) -> None:
    inline = parts.get("inline_policies") or {}
    if not isinstance(inline, dict):
        raise ValueError("not policies by their names")
    for name, document in inline.items():
        found.documents[f"inline policy {name}{of}"] = document
    documents = parts.get("attached_documents") or {}
    for one in many(parts.get("attached_policies")):
        arn = str(one.get("PolicyArn") or "")
        if found.role and managed.is_services(arn):
            continue
        document = managed.document(arn) if managed.is_aws(arn) else documents.get(arn)
        if document is None:
            found.unread += (arn,)
        else:
            found.documents[f"policy {_name(arn)}{of}"] = document
        if not managed.is_aws(arn):
            found.others += (arn,)


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
