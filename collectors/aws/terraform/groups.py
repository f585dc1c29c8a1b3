"""A security group's rules as Terraform writes them, in the form that EC2 answers: one element for a protocol and its ports,
with all addresses in it."""

from collections.abc import Iterable, Mapping
from typing import Any

ANY = "-1"


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
