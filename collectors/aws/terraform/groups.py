"""A security group's rules as Terraform writes them, in blocks or as resources of their own, in the form that EC2 answers:
one element for a protocol and its ports, with all addresses in it."""

from collections.abc import Iterable, Mapping
from typing import Any

from driftline.collectors.aws.terraform.document import Resource
from driftline.collectors.aws.terraform.reader import UNSET, UNSHOWN, TerraformReader
from driftline.pipeline.providers.aws.canonical import canonical_network, canonical_ports

APART = {
    "aws_security_group_rule": "",
    "aws_vpc_security_group_ingress_rule": "ingress",
    "aws_vpc_security_group_egress_rule": "egress",
}
"""Terraform types of single rules, and which way they go (or say themselves, as `type`)."""
EXCLUSIVE = "aws_vpc_security_group_rules_exclusive"
WAYS = {"ingress": "/group/IpPermissions", "egress": "/group/IpPermissionsEgress"}
ELSEWHERE = "its rules may be made elsewhere too (--claims: these are all)"


class SecurityGroups:
    """The groups of one file, and the rules that are resources of their own."""

    def __init__(self, reader: TerraformReader, resources: Iterable[Resource]) -> None:
        self.reader = reader
        self.single: dict[str, dict[str, list[Resource]]] = {}
        self.whole: dict[tuple[str, str], bool] = {}
        self.seen: set[str] = set()
        exclusive = []
        for one in resources:
            group = str(one.values.get("security_group_id") or "")
            if one.type in APART and not one.unseen:
                way = APART[one.type] or str(one.values.get("type"))
                self.single.setdefault(group, {}).setdefault(way, []).append(one)
            elif one.type == EXCLUSIVE and not one.unseen:
                exclusive.append((group, one))
        for group, one in exclusive:
            self._exclusive(group, one)

    def _exclusive(self, group: str, one: Resource) -> None:
        """All of a group's rules by their ids: compared where this workspace has each."""
        for way in WAYS:
            ids = set(one.values.get(f"{way}_rule_ids") or ())
            known = {rule.values.get("security_group_rule_id") or rule.values.get("id") for rule in self.single.get(group, {}).get(way, ())}  # fmt: skip
            if self.reader.barred(one, (f"{way}_rule_ids",)) or ids != known:
                self.reader.skip(one, "it names other rules than this workspace has", way)
            else:
                self.whole[group, way] = True

    def take(self, type_: str, one: Resource, uid: str) -> None:
        """The rules of one group."""
        names = {uid.rsplit("/", 1)[-1], one.values.get("id")} - {None}
        group = next((name for name in names if name in self.single), uid.rsplit("/", 1)[-1])
        self.seen |= {str(name) for name in names}
        for way, pointer in WAYS.items():
            single = self.single.get(group, {}).get(way, [])
            why = self._way(type_, one, uid, way, single, pointer)
            for rule in single:
                if why:
                    self.reader.skip(rule, f"a rule of {one.address}, which is not compared: {why}")
                else:
                    self.reader.of(uid, type_, rule)

    def _way(self, type_: str, one: Resource, uid: str, way: str, single: list[Resource], pointer: str) -> str:  # fmt: skip
        """Keeps a group's rules of one way; or why they are not compared."""
        said = self.reader.status(one, way, computed=True)
        blocks = one.values.get(way) or []
        own = uid.rsplit("/", 1)[-1]
        apart = bool(self.single.get(own) or self.single.get(str(one.values.get("id"))))
        claimed = self.reader.choices.claims or self.whole.get((own, way), False)
        unread = next((why for rule in single if (why := self._unread(rule))), "")
        if unread:
            why = f"one of its rules is {unread}"
        elif said == "":  # without the code, blocks may be what was read of the single rules
            why = ELSEWHERE if apart and self.reader.document.code is None and not claimed else ""
        elif said in (None, UNSHOWN):
            why = ("" if single or not blocks else UNSHOWN) if claimed else (ELSEWHERE if single else said or "")  # fmt: skip
            blocks = []
        else:
            why = said
        if why:
            self.reader.skip(one, why, way)
        elif said == "" or claimed:
            rules = [*blocks, *(as_block(rule.type, rule.values)[1] for rule in single)]
            self.reader.expect(uid, type_, one, pointer, permissions(rules, uid))
        return why

    def _unread(self, rule: Resource) -> str:
        """Why a rule's values are not code's word, if so."""
        for name in rule.values:
            said = self.reader.barred(rule, (name,)) or self.reader.status(rule, name)
            if said not in (None, "", UNSET, UNSHOWN):
                return f"not known, by its {name}: {said}"
        return ""

    def orphans(self) -> None:
        """Tells of the rules whose group is not here."""
        for group, ways in self.single.items():
            if group not in self.seen:
                for one in (rule for rules in ways.values() for rule in rules):
                    self.reader.skip(one, f"its group {group} is not in this workspace, or not made yet")  # fmt: skip


def as_block(type_: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A single rule's way, and the rule in the form of a group's block."""
    way = APART[type_] or str(values.get("type"))
    block = {"description": values.get("description"), "from_port": values.get("from_port"), "to_port": values.get("to_port")}  # fmt: skip
    if APART[type_]:
        one = {"cidr_blocks": "cidr_ipv4", "ipv6_cidr_blocks": "cidr_ipv6", "prefix_list_ids": "prefix_list_id",
               "security_groups": "referenced_security_group_id"}  # fmt: skip
        lists = {name: [values[single]] for name, single in one.items() if values.get(single)}
        return way, block | {"protocol": values.get("ip_protocol")} | lists
    source = values.get("source_security_group_id")
    lists = {name: values.get(name) or [] for name in ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids")}  # fmt: skip
    return way, block | {
        "protocol": values.get("protocol"), "self": values.get("self"), "security_groups": [source] if source else [],
    } | lists  # fmt: skip


def permissions(rules: Iterable[Mapping[str, Any]], group_arn: str) -> list[dict[str, Any]]:
    """IpPermissions of `ingress` or `egress` blocks. `group_arn`: the group's own, for `self` and the account."""
    account, own = group_arn.split(":")[4], group_arn.rsplit("/", 1)[-1]
    out: dict[tuple[str, Any], dict[str, Any]] = {}
    for rule in rules:
        protocol, ports = canonical_ports(
            rule.get("protocol"), rule.get("from_port"), rule.get("to_port")
        )
        one = out.setdefault((protocol, tuple(ports or ())), {
            "IpProtocol": protocol, **(dict(zip(("FromPort", "ToPort"), ports, strict=True)) if ports else {}),
            "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": [],
        })  # fmt: skip
        about = {"Description": rule["description"]} if rule.get("description") else {}
        elements = [
            *(("IpRanges", {"CidrIp": canonical_network(cidr)}) for cidr in rule.get("cidr_blocks") or ()),
            *(("Ipv6Ranges", {"CidrIpv6": canonical_network(cidr)}) for cidr in rule.get("ipv6_cidr_blocks") or ()),
            *(("PrefixListIds", {"PrefixListId": id}) for id in rule.get("prefix_list_ids") or ()),
        ]  # fmt: skip
        for text in (*(rule.get("security_groups") or ()), *([own] if rule.get("self") else ())):
            user, _, group = text.rpartition("/")
            elements.append(("UserIdGroupPairs", {"UserId": user or account, "GroupId": group}))
        for name, element in elements:
            if element | about not in one[name]:
                one[name].append(element | about)
    return list(out.values())
