"""A security group as Terraform writes it and as EC2 answers it: however both are spelled, the same group is no difference,
and another one always is."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from driftline.collectors.aws.terraform.groups import as_block, permissions
from driftline.pipeline.assess.decisions.baselines import differences

GROUP = "arn:aws:ec2:eu-west-1:111111111111:security-group/sg-1"
Rule = tuple[str, int, int, str, str]
"""Protocol as EC2 answers it, ports, kind and name of the peer."""
WORDS = {
    "tcp": ("tcp", "TCP", "6"), "udp": ("udp", "17"), "icmp": ("icmp", "1"), "icmpv6": ("icmpv6", "58"),
    "-1": ("-1", "all", "ALL"), "47": ("47", "gre"), "50": ("50", "esp", "ESP"), "51": ("51", "ah"),
}  # fmt: skip
PEERS = (
    ("cidr_blocks", "10.0.0.0/8"), ("cidr_blocks", "0.0.0.0/0"), ("ipv6_cidr_blocks", "::/0"), ("ipv6_cidr_blocks", "2001:db8::/32"),
    ("prefix_list_ids", "pl-1"), ("security_groups", "sg-1"), ("security_groups", "222222222222/sg-9"), ("security_groups", "sg-8"),
)  # fmt: skip
KEYS = {"cidr_blocks": ("IpRanges", "CidrIp"), "ipv6_cidr_blocks": ("Ipv6Ranges", "CidrIpv6"), "prefix_list_ids": ("PrefixListIds", "PrefixListId")}  # fmt: skip


@st.composite
def rule_sets(draw: st.DrawFn) -> list[Rule]:
    def rule() -> Rule:
        protocol = draw(st.sampled_from(sorted(WORDS)))
        ports = {"tcp": (22, 443), "udp": (53, 53), "icmp": (8, 0), "icmpv6": (-1, -1)}.get(protocol, (0, 0))  # fmt: skip
        return (protocol, *ports, *draw(st.sampled_from(PEERS)))

    return list(dict.fromkeys(rule() for _ in range(draw(st.integers(0, 6)))))


def written(draw: st.DrawFn, rules: list[Rule]) -> list[dict[str, Any]]:
    """As blocks of a group, some of them with several peers, some as resources of their own."""
    out: list[dict[str, Any]] = []
    for protocol, first, last, kind, name in draw(st.permutations(rules)):
        word = draw(st.sampled_from(WORDS[protocol]))
        ports = (first, last) if protocol in ("tcp", "udp", "icmp", "icmpv6") else draw(st.sampled_from([(0, 0), (None, None), (0, 65535)]))  # fmt: skip
        block = {"protocol": word, "from_port": ports[0], "to_port": ports[1], "description": draw(st.sampled_from(["", None]))}  # fmt: skip
        if kind == "cidr_blocks" and draw(st.booleans()):
            single = {"ip_protocol": word, "from_port": ports[0], "to_port": ports[1], "cidr_ipv4": name}  # fmt: skip
            out.append(as_block("aws_vpc_security_group_ingress_rule", single)[1])
        elif name == "sg-1" and draw(st.booleans()):
            out.append(block | {"self": True})
        elif name == "2001:db8::/32":
            out.append(block | {kind: [draw(st.sampled_from(["2001:DB8::/32", "2001:db8:0::/32"]))]})  # fmt: skip
        else:
            out.append(block | {kind: [name], "self": False})
        if draw(st.booleans()):
            out.append(dict(out[-1]))  # said twice
    return out


def answered(draw: st.DrawFn, rules: list[Rule]) -> list[dict[str, Any]]:
    """As EC2 answers: one element for a protocol and its ports, and more about peers."""
    out: dict[tuple[Any, ...], dict[str, Any]] = {}
    for protocol, first, last, kind, name in draw(st.permutations(rules)):
        one = out.setdefault((protocol, first, last), {
            "IpProtocol": protocol, "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": [],
        })  # fmt: skip
        if protocol in ("tcp", "udp", "icmp", "icmpv6"):
            one |= {"FromPort": first, "ToPort": last}
        if kind in KEYS:
            place, key = KEYS[kind]
            one[place].append({key: name})
        else:
            user, _, group = name.rpartition("/")
            pair = {"UserId": user or "111111111111", "GroupId": group}
            if user and draw(st.booleans()):
                pair |= {"VpcId": "vpc-9", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": draw(st.sampled_from(["active", "deleted"]))}  # fmt: skip
            one["UserIdGroupPairs"].append(pair)
    return list(out.values())


def found(blocks: list[dict[str, Any]], answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
    expect = {"/group/IpPermissions": permissions(blocks, GROUP)}
    return list(differences(expect, {"group": {"IpPermissions": answer}}))


@given(st.data())
def test_the_same_group_in_other_words(data: st.DataObject) -> None:
    rules = data.draw(rule_sets())
    blocks = data.draw(st.composite(lambda draw: written(draw, rules))())
    answer = data.draw(st.composite(lambda draw: answered(draw, rules))())
    assert found(blocks, answer) == []


@given(st.data())
def test_another_group_is_a_difference(data: st.DataObject) -> None:
    rules = data.draw(rule_sets())
    every = [
        (protocol, first, last, *peer)
        for protocol, first, last in (("tcp", 22, 443), ("tcp", 22, 22), ("-1", 0, 0), ("50", 0, 0))
        for peer in PEERS
    ]
    more = data.draw(st.sampled_from([one for one in every if one not in rules]))
    blocks = data.draw(st.composite(lambda draw: written(draw, rules))())
    answer = data.draw(st.composite(lambda draw: answered(draw, [*rules, more]))())
    assert found(blocks, answer) != [], "a rule more"
    both = data.draw(st.composite(lambda draw: written(draw, [*rules, more]))())
    less = data.draw(st.composite(lambda draw: answered(draw, rules))())
    assert found(both, less) != [], "a rule less"
