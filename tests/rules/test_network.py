"""Who of the internet comes through: groups with prefix lists, lists of ports, and the order of a network ACL's rules."""

import random
from typing import Any

import pytest

from driftline.pipeline.rulebook import load
from driftline.pipeline.rulebook.aws.functions import FUNCTIONS
from driftline.pipeline.rulebook.cel.functions import CURRENT, Current
from driftline.pipeline.rulebook.ruleset import BoundRule, RuleSet

WORLD = [{"CidrIp": "0.0.0.0/0"}]
LIST = {"PrefixListIds": [{"PrefixListId": "pl-1"}]}


def ask(function: str, config: dict[str, Any], *more: Any) -> bool | None:
    """A function's answer about the first part; None where it cannot be known."""
    token = CURRENT.set(Current(config, "111111111111", 0))
    try:
        return bool(FUNCTIONS[function].call(next(iter(config)), *more))
    except ValueError:
        return None
    finally:
        CURRENT.reset(token)


def tcp(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": low, "ToPort": high} | more


def listed(*cidrs: str, name: str = "pl-1") -> dict[str, Any]:
    return {"PrefixListId": name, "Entries": [{"Cidr": cidr} for cidr in cidrs]}


@pytest.mark.parametrize(
    ("is_open", "lists"),
    [
        (None, None),
        (None, []),
        (None, [listed("0.0.0.0/0", name="pl-2")]),
        (False, [listed()]),
        (False, [listed("203.0.113.0/24", "2001:db8::/32")]),
        (True, [listed("0.0.0.0/0")]),
        (True, [listed("::/0")]),
        (True, [listed("0.0.0.0/1", "128.0.0.0/1")]),
    ],
)
def test_a_prefix_list_opens_what_its_entries_open(is_open: bool | None, lists: Any) -> None:
    group = {"IpPermissions": [tcp(22, 22, **LIST)]}
    assert ask("port_open_to_world", {"group": group, "prefix_lists": lists}, 22) is is_open
    assert ask("port_open_to_world", {"group": group, "prefix_lists": lists}, 23) is False
    wide = {"IpPermissions": [tcp(22, 22, **LIST), tcp(0, 99, IpRanges=WORLD)]}
    assert ask("port_open_to_world", {"group": wide, "prefix_lists": lists}, 22) is True


def test_a_list_and_a_range_make_the_world_together() -> None:
    group = {"IpPermissions": [tcp(22, 22, **LIST), tcp(22, 22, IpRanges=[{"CidrIp": "0.0.0.0/1"}])]}  # fmt: skip
    config = {"group": group, "prefix_lists": [listed("128.0.0.0/1")]}
    assert ask("port_open_to_world", config, 22) is True


@pytest.mark.parametrize(
    ("named", "others", "permissions"),
    [
        (False, False, []),
        (True, False, [tcp(23, 23, IpRanges=WORLD)]),
        (True, False, [tcp(21, 21, IpRanges=WORLD)]),
        (True, True, [tcp(21, 22, IpRanges=WORLD)]),
        (True, True, [tcp(0, 65_535, IpRanges=WORLD)]),
        (True, True, [{"IpProtocol": "-1", "IpRanges": WORLD}]),
        (True, False, [tcp(20, 21, IpRanges=WORLD), tcp(23, 23, IpRanges=WORLD)]),
        (False, True, [tcp(22, 22, IpRanges=WORLD)]),
        (False, True, [tcp(24, 65_535, IpRanges=WORLD)]),
        (False, True, [tcp(0, 0, IpRanges=WORLD)]),
        (False, True, [{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": WORLD}]),
        (False, False, [{"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": WORLD}]),
        (False, False, [tcp(0, 65_535, IpRanges=[{"CidrIp": "10.0.0.0/8"}])]),
        # the two halves meet on one port only
        (True, False, [tcp(20, 21, IpRanges=[{"CidrIp": "2.0.0.0/8"}]), tcp(21, 40, IpRanges=[{"CidrIp": "3.0.0.0/8"}])]),
        (None, None, [{"IpProtocol": "-1"} | LIST]),
        (True, None, [tcp(23, 23, IpRanges=WORLD), {"IpProtocol": "-1"} | LIST]),
        (None, True, [tcp(80, 80, IpRanges=WORLD), {"IpProtocol": "-1"} | LIST]),
        (None, False, [tcp(23, 23, **LIST)]),
    ],
)  # fmt: skip
def test_lists_of_ports(
    named: bool | None, others: bool | None, permissions: list[dict[str, Any]]
) -> None:
    config = {"group": {"IpPermissions": permissions}}
    assert ask("any_port_open_to_world", config, "20-21, 23") is named
    assert ask("other_port_open_to_world", config, "20-21, 23") is others


def test_many_rules_are_judged_as_each_port_alone() -> None:
    pick = random.Random(7)
    ranges = [{"CidrIp": cidr} for cidr in ("8.0.0.0/8", "9.0.0.0/8", "64.0.0.0/3")]
    spans = [(2, 3), (5, 5), (8, 12)]
    seen = set()
    for _ in range(400):
        lows = [pick.randrange(15) for _ in range(pick.randrange(1, 5))]
        rules = [tcp(low, low + pick.randrange(4), IpRanges=[pick.choice(ranges)]) for low in lows]  # fmt: skip
        config = {"group": {"IpPermissions": rules}}
        each = {port for port in range(20) if ask("port_open_to_world", config, port)}
        named = {port for low, high in spans for port in range(low, high + 1)}
        answers = ask("any_port_open_to_world", config, "8-12, 2-3, 5"), ask("other_port_open_to_world", config, "8-12, 2-3, 5")  # fmt: skip
        assert answers == (bool(each & named), bool(each - named))
        seen.add(answers)
    assert len(seen) == 4


def test_what_is_no_port_is_no_verdict() -> None:
    group = {"IpPermissions": [tcp(22, 22, IpRanges=WORLD)]}
    assert ask("any_port_open_to_world", {"group": group}, "ssh") is None


def entry(number: int, action: str, cidr: str, protocol: str = "-1", *ports: int) -> dict[str, Any]:
    kind = "Ipv6CidrBlock" if ":" in cidr else "CidrBlock"
    more = {"PortRange": {"From": ports[0], "To": ports[-1]}} if ports else {}
    return {"RuleNumber": number, "RuleAction": action, kind: cidr, "Protocol": protocol, "Egress": False} | more  # fmt: skip


LAST = [entry(32_767, "deny", "0.0.0.0/0"), entry(32_768, "deny", "::/0")]


@pytest.mark.parametrize(
    ("is_open", "entries"),
    [
        (False, []),
        (True, [entry(100, "allow", "0.0.0.0/0")]),
        (True, [entry(100, "allow", "::/0")]),
        (True, [entry(100, "allow", "0.0.0.0/0", "6", 22)]),
        (True, [entry(100, "allow", "0.0.0.0/0", "17", 0, 65_535)]),
        (True, [entry(100, "allow", "0.0.0.0/0", "6")]),
        (False, [entry(100, "allow", "0.0.0.0/0", "6", 23, 65_535)]),
        (False, [entry(100, "allow", "0.0.0.0/0", "6", 0, 21)]),
        (False, [entry(100, "allow", "0.0.0.0/0", "1")]),
        (False, [entry(100, "allow", "10.0.0.0/8")]),
        (False, [entry(100, "allow", "0.0.0.0/0") | {"Egress": True}]),
        (False, [entry(100, "allow", "0.0.0.0/0"), entry(90, "deny", "0.0.0.0/0", "6", 22), entry(91, "deny", "0.0.0.0/0", "17", 22)]),
        (True, [entry(100, "allow", "0.0.0.0/0"), entry(110, "deny", "0.0.0.0/0")]),
        (True, [entry(100, "allow", "0.0.0.0/0"), entry(90, "deny", "203.0.113.0/24")]),
        (True, [entry(100, "allow", "0.0.0.0/0"), entry(90, "deny", "0.0.0.0/0", "6", 80)]),
        (False, [entry(100, "allow", "0.0.0.0/0"), entry(80, "deny", "0.0.0.0/1"), entry(90, "deny", "128.0.0.0/1")]),
        (True, [entry(100, "allow", "0.0.0.0/0"), entry(80, "deny", "0.0.0.0/1")]),
        (True, [entry(100, "allow", "0.0.0.0/0"), entry(90, "deny", "::/0")]),
        (True, [entry(100, "allow", "0.0.0.0/1"), entry(110, "allow", "128.0.0.0/1")]),
        (False, [entry(100, "allow", "::/0"), entry(90, "deny", "2000::/3")]),
        (False, [entry(100, "allow", "fc00::/7"), entry(110, "allow", "2001:db8::/32")]),
        (False, [entry(100, "allow", "203.0.113.0/24"), entry(90, "deny", "203.0.0.0/16")]),
    ],
)  # fmt: skip
def test_of_an_acls_rules_the_lowest_number_wins(
    is_open: bool, entries: list[dict[str, Any]]
) -> None:
    assert ask("acl_port_open_to_world", {"acl": {"Entries": LAST + entries}}, 22) is is_open


def test_a_function_never_sees_an_unread_parts_old_value() -> None:
    rule = next(r for r in load().rules if r.id == "aws-ec2-security-group-no-ssh-from-internet")
    group = {"IpPermissions": [tcp(22, 22, **LIST)]}
    config = {"group": group, "prefix_lists": [listed("203.0.113.0/24")]}
    resource = {"uid": "u", "account": "111111111111", "config": config}
    rules = RuleSet([BoundRule(rule, "high", {})])
    assert rules.evaluate(resource, {}, 0)[0].evaluation == "passed"
    assert rules.evaluate(resource, {"prefix_lists": Denied()}, 0)[0].evaluation == "unknown"


class Denied:
    reason, code = "denied", "AccessDenied"
