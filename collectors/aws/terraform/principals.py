"""The policies of roles, users and groups: by attributes of their own, by resources of their own, and by those that say that
there are no others."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from driftline.collectors.aws.terraform.document import Resource
from driftline.collectors.aws.terraform.owners import OwnerUnknown
from driftline.collectors.aws.terraform.reader import UNSET, UNSHOWN, TerraformReader
from driftline.pipeline.compare.equivalence import parse_document
from driftline.pipeline.compare.paths import escaped

KINDS = {"role": "AWS::IAM::Role", "user": "AWS::IAM::User", "group": "AWS::IAM::Group"}
PARTS = {
    f"aws_iam_{kind}{suffix}": (kind, what)
    for kind in KINDS
    for suffix, what in (("_policy", "inline"), ("_policy_attachment", "attached"),
                         ("_policies_exclusive", "names"), ("_policy_attachments_exclusive", "arns"))
}  # fmt: skip
"""Resources that are part of a principal: of which kind, and what they say."""
SHARED = "aws_iam_policy_attachment"
POINTERS = {"inline": "/inline_policies", "attached": "/attached_policies"}
ELSEWHERE = "the principal may have others too (--claims: these are all)"


@dataclass
class Principal:
    """What is said of one principal's policies, inline and attached."""

    one: Resource
    kind: str
    inline: dict[str, Any] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)
    whole: dict[str, bool] = field(default_factory=dict)
    """Whether code says that these are all."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Why that cannot be compared, if so."""
    by: dict[str, list[Resource]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    """Names of inline policies that it has, by whomever."""


class Principals:
    """The principals of one file."""

    def __init__(self, reader: TerraformReader) -> None:
        self.reader = reader
        self.known: dict[str, Principal] = {}

    def take(self, one: Resource, uid: str, kind: str) -> None:
        """A principal itself, with the policies that its own attributes name."""
        own = self.known[uid] = Principal(one, kind)
        reader = self.reader
        for attribute, what in (("managed_policy_arns", "attached"), ("inline_policy", "inline")):
            said = reader.status(one, attribute, computed=True) if attribute in one.values else None
            if said in (None, UNSET, UNSHOWN):
                if said == UNSHOWN:
                    own.read = {str(block.get("name")) for block in one.values[attribute]}
                elif said and not reader.choices.claims:
                    reader.skip(one, said, attribute)
            elif said:
                own.unknown[what] = said
                reader.skip(one, said, attribute)
            else:
                self._own(own, what, one.values.get(attribute) or [])
                if reader.document.code is not None:
                    own.whole[what] = True
                elif not reader.choices.claims:
                    reader.skip(one, "not known whether code sets it", attribute)
        for what, pointer in POINTERS.items():
            if reader.barred(one, (pointer[1:],)):
                own.unknown[what] = "ignored (--ignore)"

    def _own(self, own: Principal, what: str, values: Iterable[Any]) -> None:
        if what == "attached":
            own.attached += [str(arn) for arn in values]
            return
        for block in values:
            if name := block.get("name"):  # an empty block says that there is none
                self._inline(own, own.one, name, block.get("policy"))

    def _inline(self, own: Principal, by: Resource, name: str, policy: Any) -> None:
        document = parse_document(policy)
        if not isinstance(document, dict):
            own.unknown["inline"] = f"the policy {name} of {by.address} is no JSON"
            self.reader.skip(by, "no JSON", "policy")
        else:
            own.inline[name] = document

    def part(self, one: Resource) -> None:
        """A resource that is part of a principal."""
        if one.type == SHARED:
            for kind in KINDS:
                for name in one.values.get(f"{kind}s") or ():
                    self._part(one, kind, name, "attached")
            return
        kind, what = PARTS[one.type]
        name = one.values.get(kind) or one.values.get(f"{kind}_name")
        self._part(one, kind, name, what)

    def _part(self, one: Resource, kind: str, name: Any, what: str) -> None:
        try:
            uid = self.reader.owners.find(one, f"aws_iam_{kind}", ("name", "id"), name)
        except OwnerUnknown as why:
            return self.reader.skip(one, str(why))
        if (own := self.known.get(uid)) is None:
            return self.reader.skip(one, "its principal is not compared")
        attribute = {"inline": "policy", "attached": "policy_arn", "names": "policy_names", "arns": "policy_arns"}[what]  # fmt: skip
        about = {"names": "inline", "arns": "attached"}.get(what, what)
        said = self.reader.status(one, attribute)
        if said != "":
            own.unknown.setdefault(about, f"{one.address} is {said or 'empty'}")
            return self.reader.skip(one, said or "empty", attribute)
        own.by.setdefault(about, []).append(one)
        value = one.values.get(attribute)
        if what == "inline":
            self._inline(own, one, str(one.values.get("name") or ""), value)
        elif what == "attached":
            own.attached.append(str(value))
        else:
            own.whole[about] = True
            if what == "arns":
                own.attached += [str(arn) for arn in value or ()]
            else:
                self.reader.of(uid, KINDS[kind], one)
                own.by.setdefault("names", []).append(one)
        return None

    def join(self) -> None:
        """Says what each principal's policies ought to be, after all parts were taken."""
        for uid, own in self.known.items():
            for one in own.by.pop("names", ()):
                if set(one.values.get("policy_names") or ()) != own.inline.keys():
                    own.unknown.setdefault("inline", "not every policy that it names is in this workspace")  # fmt: skip
            if own.read - own.inline.keys():
                own.unknown.setdefault("inline", UNSHOWN)
                self.reader.skip(own.one, UNSHOWN, "inline_policy")
            for what in POINTERS:
                self._join(uid, own, what)

    def _join(self, uid: str, own: Principal, what: str) -> None:
        reader, pointer, type_ = self.reader, POINTERS[what], KINDS[own.kind]
        by = own.by.get(what, [])
        whole = own.whole.get(what) or reader.choices.claims
        if whole and not (why := own.unknown.get(what)):
            arns = sorted(set(own.attached))
            value = own.inline if what == "inline" else [{"PolicyArn": arn, "PolicyName": arn.rsplit("/", 1)[-1]} for arn in arns]  # fmt: skip
            reader.expect(uid, type_, own.one, pointer, value)
            for one in by:
                reader.of(uid, type_, one)
            return
        if whole:
            reader.skip(own.one, f"not compared as a whole: {why}", pointer[1:])
        for one in by:
            name = str(one.values.get("name") or "")
            if one.type in PARTS and PARTS[one.type][1] == "inline" and name in own.inline:
                reader.expect(uid, type_, one, f"{pointer}/{escaped(name)}", own.inline[name])
            else:
                reader.skip(one, f"not compared as a whole: {own.unknown[what]}" if whole else ELSEWHERE)  # fmt: skip
