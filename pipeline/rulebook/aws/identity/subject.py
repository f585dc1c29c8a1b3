"""An identity as its parts say: policies by their names, what bounds them, and what of them is not known."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from driftline.pipeline.rulebook.aws.identity import managed
from driftline.pipeline.rulebook.aws.statement import many
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, shown

PARTS = frozenset({"document", "inline_policies", "attached_policies", "attached_documents", "group_policies", "boundary"})  # fmt: skip


class UnreadFact(NamedTuple):
    """What is not known: in which part, and what it is."""

    part: str
    what: str
    odd: CannotEvaluate | None = None
    """Why it cannot be understood; None: it was not read."""

    @property
    def why(self) -> CannotEvaluate:
        """What to raise where an answer hangs on it."""
        return self.odd or PolicyNotRead(self)


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
    _groups(found, parts.get("group_policies"))
    _take(found, parts, "", "")
    _bound(found, parts)
    if "boundary" in missing:
        found.boundary, found.boundary_unread = {}, UnreadFact("boundary", "boundary")
    return found


def _groups(found: Subject, groups: Any) -> None:
    if groups is not None and not isinstance(groups, dict):
        _odd(found, "group_policies", f"not policies of groups by their names: {shown(groups)}")
        return
    for name, group in (groups or {}).items():
        if group is None:
            found.unread += (UnreadFact("group_policies", f"group {name}"),)
        elif not isinstance(group, dict):
            _odd(found, "group_policies", f"not policies of a group: {shown(group)}")
        else:
            found.others += (_text(group, "arn"),)
            _take(found, group, f" of group {name}", "group_policies")


def _odd(found: Subject, part: str, why: str) -> None:
    found.unread += (UnreadFact(part, part, CannotEvaluate(why)),)


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    return text if isinstance(text, str) else ""


def _take(found: Subject, parts: Mapping[str, Any], of: str, group: str) -> None:
    """The policies of an identity, or of a group that it is in; `group` is then the part where they stand."""
    inline = parts.get("inline_policies")
    if inline is not None and not isinstance(inline, dict):
        _odd(found, group or "inline_policies", f"not policies by their names: {shown(inline)}")
        inline = None
    for name, document in (inline or {}).items():
        found.documents[f"inline policy {name}{of}"] = document
    for one in many(parts.get("attached_policies")):
        arn = _text(one, "PolicyArn") if isinstance(one, dict) else ""
        if not arn:
            _odd(found, group or "attached_policies", f"not a policy with its ARN: {shown(one)}")
        elif not (found.role and managed.is_services(arn)):
            _attach(found, arn, parts.get("attached_documents"), of, group or "attached_documents")


def _attach(found: Subject, arn: str, known: Any, of: str, part: str) -> None:
    try:
        document = _document(arn, known)
    except CannotEvaluate as why:
        found.unread += (UnreadFact(part, f"policy {arn}", why),)
        return
    if document is None:
        found.unread += (UnreadFact(part, f"policy {arn}"),)
    else:
        found.documents[f"policy {_name(arn)}{of}"] = document
    if not managed.is_aws(arn):
        found.others += (arn,)


def _bound(found: Subject, parts: Mapping[str, Any]) -> None:
    bound = parts.get("boundary")
    if bound is None:
        return
    arn = _text(bound, "PermissionsBoundaryArn") if isinstance(bound, dict) else ""
    found.boundary = {}
    if not arn:
        why = CannotEvaluate(f"not a permissions boundary with its ARN: {shown(bound)}")
        found.boundary_unread = UnreadFact("boundary", "boundary", why)
        return
    try:
        document, odd = _document(arn, parts.get("attached_documents")), None
    except CannotEvaluate as why:
        document, odd = None, why
    if document is None:
        found.boundary_unread = UnreadFact("attached_documents", f"boundary {arn}", odd)
    else:
        found.boundary[f"boundary {_name(arn)}"] = document


def _document(arn: str, known: Any) -> Any:
    """A policy's document; None: it was not read. Raises CannotEvaluate."""
    if managed.is_aws(arn):
        return managed.document(arn)
    if known is not None and not isinstance(known, dict):
        raise CannotEvaluate(f"not policies by their ARNs: {shown(known)}")
    return (known or {}).get(arn)


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
