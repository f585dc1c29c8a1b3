"""Who of the internet comes through: a security group's permissions, a network ACL's ordered rules. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from driftline.pipeline.rulebook.aws.addresses import broad
from driftline.pipeline.rulebook.unjudged import (
    CannotEvaluate,
    held_by,
    holds_for_any,
    network,
    shown,
)

Network = IPv4Network | IPv6Network
Span = tuple[int, int]
Near = tuple[Mapping[str, Any], Span]
"""A permission, and its ports."""
PORTS = (0, 65_535)
TCP, UDP = ("tcp", "6"), ("udp", "17")
WORLD = {"0.0.0.0/0", "::/0"}
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
RANGE = re.compile(rf"(?:{_BYTE}\.){{3}}{_BYTE}/(3[0-2]|[12]?\d)", re.ASCII)
"""What surely is a range of IPv4, with the length of its prefix; the rest is looked at more closely."""
ROUTED = IPv6Network("2000::/3")
"""The addresses of IPv6 that the internet uses."""


class ListsUnread(CannotEvaluate):
    """The answer hangs on the entries of a prefix list."""


def port_open(group: Mapping[str, Any], lists: Any, port: int) -> bool:
    """Whether a group lets a large part of the internet in on a port, by one of its rules or by all together.

    `lists` are the prefix lists that it names, with their Entries. Raises ValueError where what was not read, or what is
    no permission, decides."""
    near, odd = _near(group, [(port, port)])
    return _decided(_reached([permission for permission, _ in near], lists), odd)


def _decided(is_open: bool, odd: ValueError | None) -> bool:
    """What is no permission could only open more."""
    if not is_open and odd is not None:
        raise odd
    return is_open


def _reached(permissions: Sequence[Mapping[str, Any]], lists: Any) -> bool:
    ranges = [cidr for permission in permissions for cidr in _ranges(permission)]
    named = [one for permission in permissions for one in _lists(permission)]
    entries = {one["PrefixListId"]: one.get("Entries") or [] for one in lists or []} if named else {}  # fmt: skip
    ranges += [entry["Cidr"] for one in named for entry in entries.get(one, [])]
    if not WORLD.isdisjoint(ranges) or (not _small(ranges) and _broad(ranges)):
        return True
    if not entries.keys() >= set(named):
        raise ListsUnread("open to a prefix list, whose entries are not read")
    return False


def _broad(ranges: Sequence[str]) -> bool:
    """`broad`, also where some range is none, if the others are enough. Raises ValueError."""
    known, odd = held_by(ranges, lambda one: network(one) is not None)
    return _decided(broad(known), odd)


def any_open(group: Mapping[str, Any], lists: Any, ports: str, *, but: bool = False) -> bool:
    """Whether port_open holds for one of the ports (20-21, 23), or for one that is none of them."""
    wanted = _others(ports) if but else _spans(ports)
    near, odd = _near(group, wanted)
    return _decided(_any_reached(near, lists, wanted), odd)


def _any_reached(near: Sequence[Near], lists: Any, wanted: Sequence[Span]) -> bool:
    if any(not WORLD.isdisjoint(_ranges(permission)) for permission, _ in near):
        return True
    if not near or not _maybe([permission for permission, _ in near], lists):
        return False
    # who reaches a port reaches the next one too, unless a permission or what is wanted begins between them
    starts = {low for low, _ in wanted} | {low for _, (low, _) in near}
    return holds_for_any(
        sorted(start for start in starts if _meet((start, start), wanted)),
        lambda port: _reached([p for p, (low, high) in near if low <= port <= high], lists),
    )


def _maybe(permissions: Sequence[Mapping[str, Any]], lists: Any) -> bool:
    """Whether permissions could let the internet in if all of them were for one port."""
    try:
        return _reached(permissions, lists)
    except ValueError:
        return True


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
        net = network(entry.get("CidrBlock") or entry["Ipv6CidrBlock"])
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


def _small(ranges: Sequence[str]) -> bool:
    """Whether ranges have too few addresses together to be broad; read from their text, for there are many."""
    left = {4: 2**25, 6: 2**97}
    for cidr in ranges:
        if found := RANGE.fullmatch(cidr):
            left[4] -= 1 << (32 - int(found[1]))
            continue
        try:
            net = network(cidr)
        except CannotEvaluate:
            return False
        left[net.version] -= net.num_addresses
    return left[4] > 0 and left[6] > 0


def _near(group: Mapping[str, Any], wanted: Sequence[Span]) -> tuple[list[Near], ValueError | None]:
    """The permissions that let in on one of the ports, and the ports that they are for; and why something is none that may
    do so."""
    near, odd = list[Near](), None
    for permission in _objects(group, "IpPermissions"):
        span: Span | None = PORTS
        try:
            span = _span(permission)
            if span is not None and _meet(span, wanted):
                _ranges(permission)
                _lists(permission)
                near.append((permission, span))
        except CannotEvaluate as why:
            if odd is None and span is not None and _meet(span, wanted):
                odd = why
    return near, odd


def _objects(owner: Any, name: str) -> Iterator[Any]:
    """The elements of a list; those of none where it is not there."""
    if not isinstance(owner, dict):
        raise CannotEvaluate(f"not a permission: {shown(owner)}")
    some = owner.get(name)
    if some is not None and not isinstance(some, list):
        raise CannotEvaluate(f"its {name} is {shown(some)}")
    yield from some or []


def _span(permission: Any) -> Span | None:
    """The ports of a permission; None where its protocol has none. Raises CannotEvaluate."""
    if not isinstance(permission, dict):
        raise CannotEvaluate(f"not a permission: {shown(permission)}")
    protocol = str(permission.get("IpProtocol", "-1"))
    if protocol == "-1":
        return PORTS
    if protocol not in TCP + UDP:
        return None
    low, high = permission.get("FromPort"), permission.get("ToPort")
    for port in (low, high):
        if port is not None and (isinstance(port, bool) or not isinstance(port, int)):
            raise CannotEvaluate(f"{shown(port)} is no port")
    return PORTS if low is None or high is None or low == -1 else (low, high)


@lru_cache
def _spans(text: str) -> list[Span]:
    """20-21, 23 as spans, in order. Raises ValueError for what is no port."""
    pairs = [one.strip().partition("-") for one in text.split(",") if one.strip()]
    return sorted((int(low), int(high or low)) for low, _, high in pairs)


@lru_cache
def _others(text: str) -> list[Span]:
    """The ports between such spans."""
    out, after = [], PORTS[0]
    for low, high in [*_spans(text), (PORTS[1] + 1, PORTS[1] + 1)]:
        if after < low:
            out.append((after, low - 1))
        after = max(after, high + 1)
    return out


def _meet(span: Span, others: Sequence[Span]) -> bool:
    return any(span[0] <= high and low <= span[1] for low, high in others)


def _ranges(permission: Any) -> list[str]:
    return [
        *_texts(permission, "IpRanges", "CidrIp"),
        *_texts(permission, "Ipv6Ranges", "CidrIpv6"),
    ]


def _lists(permission: Any) -> list[str]:
    return _texts(permission, "PrefixListIds", "PrefixListId")


def _texts(permission: Any, name: str, field: str) -> list[str]:
    """A field of a list's elements, where they have it. Raises CannotEvaluate."""
    found = []
    for one in _objects(permission, name):
        if not isinstance(one, dict):
            raise CannotEvaluate(f"its {name} holds {shown(one)}")
        text = one.get(field)
        if text is not None and not isinstance(text, str):
            raise CannotEvaluate(f"its {field} is {shown(text)}")
        if text:
            found.append(text)
    return found


def open_ranges(group: Mapping[str, Any], lists: Any, ports: str) -> list[str]:
    """The addresses, or prefix lists, to which a group is open on one of the ports (22, 8000-8100; `!22`: any but it)
    together with the whole internet."""
    near = [permission for permission, _ in _asked(group, ports)]
    ranges = [cidr for permission in near for cidr in _ranges(permission)]
    named = [one for permission in near for one in _lists(permission)]
    entries = {one["PrefixListId"]: [e["Cidr"] for e in one.get("Entries") or []] for one in lists or []}  # fmt: skip
    wide = [cidr for cidr in ranges if _wide(cidr)]
    wide += [one for one in named if broad(entries.get(one, []))]
    return wide or [*ranges, *named]


def open_ports(group: Mapping[str, Any], lists: Any, ports: str) -> list[str]:
    """Those of the ports that are open to the internet, as `port 22` or `ports 8000-8100`; `every port` where all are."""
    near = _asked(group, ports)
    alone = [span for permission, span in near if _maybe([permission], lists)]
    spans = alone or [span for _, span in near]
    if PORTS in spans:
        return ["every port"]
    return [
        f"port {low}" if low == high else f"ports {low}-{high}" for low, high in sorted(set(spans))
    ]


def _asked(group: Mapping[str, Any], ports: str) -> list[Near]:
    """The permissions on ports as sentences write them; what is none is left out."""
    return _near(group, _others(ports[1:]) if ports.startswith("!") else _spans(ports))[0]


def _wide(cidr: str) -> bool:
    try:
        return broad([cidr])
    except ValueError:
        return False


def open_rules(acl: Mapping[str, Any], port: int) -> list[int]:
    """The numbers of a network ACL's rules that let a large part of the internet in on a port."""
    entries = [entry for entry in acl.get("Entries") or [] if not entry.get("Egress")]
    denies = [entry for entry in entries if entry.get("RuleAction") == "deny"]
    return sorted(
        allow["RuleNumber"]
        for allow in entries
        if allow not in denies and acl_open({"Entries": [*denies, allow]}, port)
    )
