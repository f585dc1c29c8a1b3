"""Who of the internet comes through: a security group's permissions, a network ACL's ordered rules. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from pipeline.rulebook.condition import broad

Network = IPv4Network | IPv6Network
Span = tuple[int, int]
PORTS = (0, 65_535)
TCP, UDP = ("tcp", "6"), ("udp", "17")
ROUTED = IPv6Network("2000::/3")
"""The addresses of IPv6 that the internet uses."""


def port_open(group: Mapping[str, Any], lists: Any, port: int) -> bool:
    """Whether a group lets a large part of the internet in on a port, by one of its rules or by all together.

    `lists` are the prefix lists that it names, with their Entries. Raises ValueError where what was not read decides."""
    reaching = [p for p in group.get("IpPermissions") or [] if _covers(p, port)]
    entries = {one["PrefixListId"]: one.get("Entries") or [] for one in lists or []}
    named = [one.get("PrefixListId") for p in reaching for one in p.get("PrefixListIds") or []]
    ranges = [cidr for permission in reaching for cidr in _ranges(permission)]
    ranges += [entry["Cidr"] for one in named for entry in entries.get(one, [])]
    if broad(ranges):
        return True
    if not entries.keys() >= set(named):
        raise ValueError(f"port {port} is open to a prefix list, whose entries are not read")
    return False


def any_open(group: Mapping[str, Any], lists: Any, ports: str, *, but: bool = False) -> bool:
    """Whether port_open holds for one of the ports (20-21, 23), or for one that is none of them."""
    spans = _spans(ports)
    # between two of these nothing changes
    edges = {edge for p in group.get("IpPermissions") or [] for edge in _edges(p)}
    edges |= {edge for low, high in spans for edge in (low, high + 1)} | {0}
    unsure: ValueError | None = None
    for port in sorted(edge for edge in edges if edge <= PORTS[1]):
        if any(low <= port <= high for low, high in spans) is but:
            continue
        try:
            if port_open(group, lists, port):
                return True
        except ValueError as error:
            unsure = error
    if unsure is not None:
        raise unsure
    return False


def acl_open(acl: Mapping[str, Any], port: int) -> bool:
    """Whether a network ACL lets a large part of the internet in on a port: of its rules the lowest number wins."""
    entries = [entry for entry in acl.get("Entries") or [] if not entry.get("Egress")]
    entries.sort(key=lambda entry: entry["RuleNumber"])
    return any(broad([str(net) for net in _let_in(entries, port, names)]) for names in (TCP, UDP))


def _let_in(entries: Sequence[Mapping[str, Any]], port: int, names: Sequence[str]) -> list[Network]:
    allowed: list[Network] = []
    denied: list[Network] = []
    for entry in entries:
        ports = entry.get("PortRange") or {}
        low, high = ports.get("From", PORTS[0]), ports.get("To", PORTS[1])
        protocol = str(entry.get("Protocol", "-1"))
        if protocol not in ("-1", *names) or (protocol != "-1" and not low <= port <= high):
            continue
        net = ip_network(entry.get("CidrBlock") or entry["Ipv6CidrBlock"], strict=False)
        if entry.get("RuleAction") == "deny":
            denied.append(net)
        else:
            allowed += _without(_routed(net), denied)
    return allowed


def _routed(net: Network) -> list[Network]:
    if isinstance(net, IPv4Network) or net.subnet_of(ROUTED):
        return [net]
    return [ROUTED] if net.supernet_of(ROUTED) else []


def _without(nets: Sequence[Network], taken: Sequence[Network]) -> list[Network]:
    """What is left of networks."""
    left = list(nets)
    for other in taken:
        left = [rest for net in left for rest in _less(net, other)]
    return left


def _less(net: Any, other: Any) -> Iterator[Network]:
    if net.version != other.version or not net.overlaps(other):
        yield net
    elif net.supernet_of(other):
        yield from net.address_exclude(other)


def _covers(permission: Mapping[str, Any], port: int) -> bool:
    span = _span(permission)
    return span is not None and span[0] <= port <= span[1]


def _span(permission: Mapping[str, Any]) -> Span | None:
    """The ports of a permission; None where its protocol has none."""
    protocol = str(permission.get("IpProtocol", "-1"))
    if protocol == "-1":
        return PORTS
    if protocol not in TCP + UDP:
        return None
    low, high = permission.get("FromPort"), permission.get("ToPort")
    return PORTS if low is None or high is None or low == -1 else (low, high)


def _edges(permission: Mapping[str, Any]) -> Span | tuple[()]:
    span = _span(permission)
    return () if span is None else (span[0], span[1] + 1)


def _spans(text: str) -> list[Span]:
    """20-21, 23 as spans. Raises ValueError for what is no port."""
    pairs = [one.strip().partition("-") for one in text.split(",") if one.strip()]
    return [(int(low), int(high or low)) for low, _, high in pairs]


def _ranges(permission: Mapping[str, Any]) -> list[str]:
    ranges = [r.get("CidrIp") for r in permission.get("IpRanges") or []]
    ranges += [r.get("CidrIpv6") for r in permission.get("Ipv6Ranges") or []]
    return [cidr for cidr in ranges if cidr]
