"""Equivalent spellings in AWS's configurations: IAM policy documents, security group rules. Pure: two spellings are
compared by their canonical form."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from driftline.pipeline.compare.diff import Canonical
from driftline.pipeline.compare.equivalence import parse_document, scalar

ANY = "-1"
PROTOCOLS = {
    "all": ANY, "any": ANY, "1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "gre": "47", "esp": "50", "ah": "51",
    "ospf": "89", "vrrp": "112", "l2tp": "115", "sctp": "132", "igmp": "2", "ipip": "4", "ipv4": "4", "ipv6": "41",
}  # fmt: skip
"""A protocol as EC2 returns it: a name for four of them, the IANA number for others."""
PORTED = ("tcp", "udp", "6", "17")
TYPED = ("icmp", "icmpv6")
"""Their ports are a type and a code; -1 is any."""
_LISTS = ("Action", "NotAction", "Resource", "NotResource")
_RANGES = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId"), ("UserIdGroupPairs", "GroupId"))  # fmt: skip


def canonical_policy(document: Any) -> Any:
    """Returns the canonical form of a policy document: single values become sorted lists, an account is its number,
    actions and condition keys are lower case, `"*"` is everyone in every spelling, an empty Sid or Id is dropped, a
    missing Version is the oldest. Any other value is returned unchanged."""
    document = parse_document(document)
    if not isinstance(document, dict) or "Statement" not in document:
        return document
    statements = document["Statement"]
    out = {"Version": "2008-10-17"} | {
        key: value for key, value in document.items() if key != "Id" or value
    }
    return out | {
        "Statement": [
            _statement(one) for one in (statements if isinstance(statements, list) else [statements])
        ]
    }  # fmt: skip


def _statement(statement: Any) -> Any:
    if not isinstance(statement, dict):
        return statement
    out = dict(statement)
    if not out.get("Sid", True):
        del out["Sid"]
    for name in _LISTS:
        if name in out:
            out[name] = _listed(out[name], lower=name.endswith("Action"))
    for name in ("Principal", "NotPrincipal"):
        if name in out:
            out[name] = _principal(out[name])
    if isinstance(condition := out.get("Condition"), dict):
        out["Condition"] = {operator: _keys(keys) for operator, keys in condition.items()}
    if "Condition" in out and out["Condition"] in (None, {}):
        del out["Condition"]
    return out


def _keys(keys: Any) -> Any:
    """Lowercases a condition's keys; keys that differ only in case are left unchanged."""
    if not isinstance(keys, dict):
        return keys
    lower = {key.lower() for key in keys}
    return {
        key.lower() if len(lower) == len(keys) else key: _listed(value)
        for key, value in keys.items()
    }


def _principal(principal: Any) -> Any:
    if not isinstance(principal, dict):
        principal = {"AWS": principal}
    return {
        kind: _listed(
            [_account(one) for one in (value if isinstance(value, list) else [value])]
            if kind == "AWS"
            else value
        )
        for kind, value in principal.items()
    }


def _account(principal: Any) -> Any:
    if isinstance(principal, str) and principal.startswith("arn:") and principal.endswith(":root"):
        return principal.split(":")[4]
    return principal


def _listed(value: Any, *, lower: bool = False) -> list[Any]:
    items = value if isinstance(value, list) else [value]
    return sorted({(item.lower() if lower else item) if isinstance(item, str) else _text(item) for item in items})  # fmt: skip


def is_permission(value: Any) -> bool:
    """Returns whether a value is one of EC2's IpPermissions."""
    return (
        isinstance(value, dict)
        and "IpProtocol" in value
        and all(isinstance(one, dict) for name, _ in _RANGES for one in value.get(name) or ())
    )


def canonical_permission(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the canonical form of one of EC2's IpPermissions. A group is its id, which is unique: its account,
    network and peering status add nothing."""
    protocol, ports = canonical_ports(
        value.get("IpProtocol"), value.get("FromPort"), value.get("ToPort")
    )
    out: dict[str, Any] = {"IpProtocol": protocol, "ports": ports}
    for name, key in _RANGES:
        out[name] = sorted(
            [canonical_network(_named(one, key)), str(one.get("Description") or "")]
            for one in value.get(name) or ()
        )
    return out


def _named(one: Mapping[str, Any], key: str) -> str:
    return str(one.get(key) or f"{one.get('UserId')}/{one.get('GroupName')}")


def canonical_ports(protocol: Any, first: Any, last: Any) -> tuple[str, list[int] | None]:
    """Returns a protocol as EC2 returns it, and its ports; None if it has none."""
    text = str(ANY if protocol is None else scalar(protocol)).strip().lower()
    text = PROTOCOLS.get(text, text)
    if text in TYPED:
        return text, [_int(-1 if first is None else first), _int(-1 if last is None else last)]
    if text in PORTED and (first is not None or last is not None):
        return text, [_int(first), _int(last)]
    return text, None


def _int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1


@lru_cache(10_000)
def canonical_network(cidr: str) -> str:
    """Returns an address range as its network; any other text unchanged."""
    try:
        return str(ipaddress.ip_network(cidr, strict=False)) if "/" in cidr else cidr
    except ValueError:
        return cidr


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _element(value: Any) -> Any:
    return canonical_permission(value) if is_permission(value) else None


CANONICAL = Canonical(canonical_policy, _element)
