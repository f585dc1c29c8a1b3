"""A security group's rules as Terraform writes them, in the form that EC2 answers: one element for a protocol and its ports,
with all addresses in it."""

from collections.abc import Iterable, Mapping
from typing import Any

ANY = "-1"
APART = {
    "aws_security_group_rule": "",
    "aws_vpc_security_group_ingress_rule": "ingress",
    "aws_vpc_security_group_egress_rule": "egress",
}
"""Terraform types of single rules, and which way they go (or say themselves, as `type`)."""


def as_block(type_: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A single rule's way, and the rule in the form of a group's block."""
    way = APART[type_] or str(values.get("type"))
    block = {"description": values.get("description"), "from_port": values.get("from_port"), "to_port": values.get("to_port")}  # fmt: skip
    if APART[type_]:
        one = {"cidr_blocks": "cidr_ipv4", "ipv6_cidr_blocks": "cidr_ipv6", "prefix_list_ids": "prefix_list_id",
               "security_groups": "referenced_security_group_id"}  # fmt: skip
        lists = {name: [values[single]] for name, single in one.items() if values.get(single)}
        return way, block | {"protocol": values.get("ip_protocol", ANY)} | lists
    source = values.get("source_security_group_id")
    lists = {name: values.get(name) or [] for name in ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids")}  # fmt: skip
    return way, block | {
        "protocol": values.get("protocol", ANY), "self": values.get("self"), "security_groups": [source] if source else [],
    } | lists  # fmt: skip


def permissions(rules: Iterable[Mapping[str, Any]], group_arn: str) -> list[dict[str, Any]]:
    """IpPermissions of `ingress` or `egress` blocks. `group_arn`: the group's own, for `self` and the account."""
    account, own = group_arn.split(":")[4], group_arn.rsplit("/", 1)[-1]
    out: dict[tuple[str, Any, Any], dict[str, Any]] = {}
    for rule in rules:
        protocol = str(rule.get("protocol", ANY)).lower()
        protocol = ANY if protocol == "all" else protocol
        ports = (None, None) if protocol == ANY else (rule.get("from_port"), rule.get("to_port"))
        one = out.setdefault((protocol, *ports), {
            "IpProtocol": protocol, "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": [],
        })  # fmt: skip
        if protocol != ANY:
            one |= {"FromPort": ports[0], "ToPort": ports[1]}
        about = {"Description": rule["description"]} if rule.get("description") else {}
        one["IpRanges"] += [{"CidrIp": cidr, **about} for cidr in rule.get("cidr_blocks") or ()]
        one["Ipv6Ranges"] += [
            {"CidrIpv6": cidr, **about} for cidr in rule.get("ipv6_cidr_blocks") or ()
        ]
        one["PrefixListIds"] += [
            {"PrefixListId": id, **about} for id in rule.get("prefix_list_ids") or ()
        ]
        groups = [*(rule.get("security_groups") or ()), *([own] if rule.get("self") else ())]
        for text in groups:
            user, _, group = text.rpartition("/")
            one["UserIdGroupPairs"].append({"UserId": user or account, "GroupId": group, **about})
    return list(out.values())
