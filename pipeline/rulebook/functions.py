"""Named functions of the rule language. Pure, of the current resource and time; they take a path, not a map:
handing a large map through CEL costs 115 us, a text 2."""

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from pipeline.model.base import micros
from pipeline.rulebook import grants, policy
from pipeline.rulebook.condition import broad

DAY = 86_400_000_000
REMEMBERED = 20_000
"""Judgements of documents that each function remembers."""


@dataclass
class Current:
    """What the functions see: the configuration being judged, its account, the record time in microseconds, its uid."""

    config: dict[str, Any]
    account: str
    now: int
    uid: str = ""
    memory: dict[tuple[str, ...], Any] = field(default_factory=dict)


CURRENT: ContextVar[Current] = ContextVar("current")


class Function(NamedTuple):
    call: Callable[..., Any]
    takes: tuple[str, ...]
    returns: str
    path: bool
    """Whether the first argument is a path under resource.config."""


def at_path(config: Any, path: str) -> Any:
    """The value at a dotted path; None where it ends early. Raises TypeError on a step into no map."""
    for step in path.split("."):
        if config is None:
            return None
        if not isinstance(config, dict):
            raise TypeError(f"{path}: no map at {step}")
        config = config.get(step)
    return config


def _judgement(judge: Callable[..., bool], of: str = "account") -> Callable[..., bool]:
    """A judge of documents as a function of a path and perhaps a text; `of` is what else of the resource it is told."""

    def call(path: str, *more: str) -> bool:
        current = CURRENT.get()
        key = (judge.__name__, path, *more)
        if key not in current.memory:
            document = at_path(current.config, path)
            current.memory[key] = document is not None and remembered(document, path, current, more)
        return bool(current.memory[key])

    def remembered(document: Any, path: str, current: Current, more: tuple[str, ...]) -> bool:
        """Most readings change something else than the policy, and many resources have the same one."""
        digest = current.memory.get(("digest", path))
        if digest is None:
            digest = hashlib.blake2b(msgspec.json.encode(document), digest_size=16).digest()
            current.memory["digest", path] = digest
        other = getattr(current, of)
        key = (digest, other, *more)
        if key not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            known[key] = judge(document, other, *more)
        return known[key]

    known: dict[tuple[Any, ...], bool] = {}
    return call


def _is_true(path: str) -> bool:
    """True where the path holds true; false where it ends early (null, absent) or holds anything else."""
    return at_path(CURRENT.get().config, path) is True


def _age_days(text: str) -> int:
    return (CURRENT.get().now - micros(datetime.fromisoformat(text))) // DAY


def _port_open_to_world(path: str, port: int) -> bool:
    """Whether a group lets a large part of the internet in on a port, by one of its rules or by all together.

    A prefix list's entries stand elsewhere: what only it may open is not known, and raises ValueError."""
    group = at_path(CURRENT.get().config, path) or {}
    reaching = [p for p in group.get("IpPermissions") or [] if _covers(p, port)]
    if broad([cidr for permission in reaching for cidr in _ranges(permission)]):
        return True
    lists = [item for permission in reaching for item in permission.get("PrefixListIds") or []]
    if lists:
        raise ValueError(f"port {port} is open to a prefix list, whose entries are not read")
    return False


def _covers(permission: dict[str, Any], port: int) -> bool:
    protocol = str(permission.get("IpProtocol", "-1"))
    if protocol == "-1":
        return True
    if protocol not in ("tcp", "6", "udp", "17"):
        return False
    low, high = permission.get("FromPort"), permission.get("ToPort")
    if low is None or high is None or low == -1:
        return True
    return bool(low <= port <= high)


def _ranges(permission: dict[str, Any]) -> list[str]:
    ranges = [r.get("CidrIp") for r in permission.get("IpRanges") or []]
    ranges += [r.get("CidrIpv6") for r in permission.get("Ipv6Ranges") or []]
    return [cidr for cidr in ranges if cidr]


FUNCTIONS: dict[str, Function] = {
    "policy_allows_public": Function(_judgement(policy.allows_public), ("STRING",), "BOOL", True),
    "policy_allows_cross_account": Function(
        _judgement(policy.allows_cross_account), ("STRING",), "BOOL", True
    ),
    "policy_gives_others": Function(
        _judgement(grants.gives_others), ("STRING", "STRING"), "BOOL", True
    ),
    "policy_allows_service": Function(
        _judgement(grants.allows_service), ("STRING", "STRING"), "BOOL", True
    ),
    "policy_requires_tls": Function(
        _judgement(policy.requires_tls, "uid"), ("STRING",), "BOOL", True
    ),
    "policy_is_admin": Function(_judgement(policy.is_admin), ("STRING",), "BOOL", True),
    "port_open_to_world": Function(_port_open_to_world, ("STRING", "INT"), "BOOL", True),
    "is_true": Function(_is_true, ("STRING",), "BOOL", True),
    "age_days": Function(_age_days, ("STRING",), "INT", False),
}
