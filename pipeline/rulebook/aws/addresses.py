"""Sets of addresses: which part of the internet ranges cover together, and which part they leave. Pure."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from driftline.pipeline.rulebook.unjudged import network

Network = IPv4Network | IPv6Network
Span = tuple[int, int]
"""The first and the last address, as numbers."""
WORLD: list[Network] = [IPv4Network("0.0.0.0/0"), IPv6Network("::/0")]
ROUTED = IPv6Network("2000::/3")
"""The addresses of IPv6 that the internet uses."""
PRIVATE: list[Network] = [
    *map(IPv4Network, ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3")),
    *map(IPv6Network, ("fc00::/7", "fe80::/10")),
]  # fmt: skip
"""Addresses from which nobody of the internet comes."""
LARGE = {4: 2**25, 6: 2**97}
"""Addresses of a network that is a large part of the internet: shorter than /8, or /32 of IPv6. S3 takes that for public."""
TOGETHER = {4: 2**28, 6: 2**100}
"""Addresses that are a large part wherever they lie."""


def broad(ranges: Iterable[str]) -> bool:
    """Returns whether ranges, taken together, are a large part of the internet. Raises ValueError for what is no range."""
    nets = _parsed(ranges)
    return any(_large(_spans(nets, version), version) for version in (4, 6))


def broad_without(ranges: Iterable[str]) -> bool:
    """Returns whether the addresses that are in none of the ranges are a large part of the internet."""
    nets = _parsed(ranges)
    return any(_large(_left(nets, version), version) for version in (4, 6))


def covers_internet(ranges: Iterable[str]) -> bool:
    """Returns whether every address of the internet is in one of the ranges."""
    nets = _parsed(ranges)
    return not any(_left(nets, version) for version in (4, 6))


def _parsed(ranges: Iterable[str]) -> list[Network]:
    """`*` stands for every address, of IPv4 and of IPv6."""
    found: list[Network] = []
    for one in ranges:
        found += WORLD if one == "*" else [network(one)]
    return found


def _left(nets: Iterable[Network], version: int) -> list[Span]:
    """Returns the internet without some networks."""
    start = [WORLD[0]] if version == 4 else [ROUTED]
    return _minus(_spans(start, version), _spans([*nets, *PRIVATE], version))


def _large(spans: list[Span], version: int) -> bool:
    own, size = PRIVATE_SPANS[version], LARGE[version]
    for low, high in spans:
        first = -(-low // size) * size  # networks begin at multiples of their size
        if first + size - 1 <= high and _minus([(first, high)], own if version == 6 else []):
            return True
    return sum(high - low + 1 for low, high in _minus(spans, own)) >= TOGETHER[version]


def _spans(nets: Iterable[Network], version: int) -> list[Span]:
    """Returns the addresses of networks of one version, in order and without overlap."""
    found: list[Span] = []
    every = (
        (int(net.network_address), int(net.broadcast_address))
        for net in nets
        if net.version == version
    )
    for low, high in sorted(every):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def _minus(spans: list[Span], taken: list[Span]) -> list[Span]:
    return list(_gaps(spans, taken))


def _gaps(spans: list[Span], taken: list[Span]) -> Iterator[Span]:
    """Yields what is left of spans; both are in order."""
    at = 0
    for low, high in spans:
        while at < len(taken) and taken[at][1] < low:
            at += 1
        start = low
        for first, last in taken[at:]:
            if first > high:
                break
            if start < first:
                yield start, first - 1
            start = max(start, last + 1)
        if start <= high:
            yield start, high


PRIVATE_SPANS = {version: _spans(PRIVATE, version) for version in (4, 6)}
