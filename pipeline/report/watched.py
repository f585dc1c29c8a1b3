"""The accounts that are watched, by what was read of them and what findings say. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from driftline.pipeline.model import Sweep
from driftline.pipeline.model.base import rfc3339


@dataclass
class Watched:
    """One account."""

    provider: str
    account: str
    name: str = ""
    organization: str = ""
    """Id of the organization or tenant; empty where it is not known."""
    resources: int = 0
    """With findings."""
    open: int = 0
    last_read: str = ""
    """When a sweep of it last ended, RFC 3339; empty where none is known."""

    def row(self) -> dict[str, Any]:
        """For JSON and tables."""
        return {**vars(self)}


def watched(sweeps: Iterable[Sweep], findings: Iterable[bytes]) -> list[Watched]:
    """Every account that was read or has findings, by provider and id. What is no finding is passed over."""
    found: dict[tuple[str, str], Watched] = {}
    uids: dict[tuple[str, str], set[str]] = {}
    for sweep in sweeps:
        key = (str(sweep.scope.provider), sweep.scope.account)
        one = found.setdefault(key, Watched(*key))
        one.last_read = max(one.last_read, rfc3339(sweep.finished_at))
        one.organization = one.organization or sweep.organization or ""
    for value in findings:
        try:
            finding = orjson.loads(value)
            resource, retired = finding["resource"], finding["retired"]
            key = (str(resource["provider"]), str(resource["account"]))
            uid, status = str(resource["uid"]), finding["status"]
        except (ValueError, KeyError, TypeError):
            continue
        if retired:
            continue
        one = found.setdefault(key, Watched(*key))
        uids.setdefault(key, set()).add(uid)
        one.open += status == "open"
        one.name = str((resource.get("cloud_account") or {}).get("name") or one.name)
        one.organization = str(resource.get("organization") or one.organization)
    for key, named in uids.items():
        found[key].resources = len(named)
    return [one for _, one in sorted(found.items())]
