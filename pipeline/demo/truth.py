"""Compares the expected findings of the demo with the actual ones. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SSH = "aws-ec2-security-group-no-ssh-from-internet"
RDP = "aws-ec2-security-group-no-rdp-from-internet"
BLOCK = "aws-s3-bucket-public-access-blocked"
VERSIONS = "aws-s3-bucket-versioning-enabled"
ROTATION = "aws-kms-key-rotation-enabled"
ENCRYPTED = "aws-ec2-volume-encrypted"
MFA = "aws-iam-user-console-mfa-enabled"
TRUST = "aws-iam-role-trust-not-public"
PUBLIC = "aws-s3-bucket-policy-not-public"
READS = "Object in a public bucket read anonymously"
"""A detection's title."""
RULES = (SSH, RDP, BLOCK, VERSIONS, ROTATION, ENCRYPTED, MFA, TRUST)
"""The rules for which all faults are known, because the demo created them."""

Statuses = dict[tuple[str, str], str]
"""Maps (rule, uid) to a finding's status."""


@dataclass(frozen=True)
class Shown:
    """A document of the latest view, with the fields that the demo uses."""

    id: str
    rule: str
    uid: str
    type: str
    account: str
    status: str
    evaluation: str
    reopened: int
    opened_at: str

    @classmethod
    def of(cls, hit: Mapping[str, Any]) -> "Shown":
        """Of a search's hit."""
        source, own = hit["_source"], hit["_source"]["driftline"]
        return cls(
            hit["_id"], source["rule"]["id"], source["resource"]["id"], source["resource"]["type"],
            source["cloud"]["account"]["id"], own["status"], source["result"]["evaluation"], own["reopened"],
            own.get("opened_at", ""),
        )  # fmt: skip


def wrong(truth: Statuses, documents: Iterable[Shown], rules: Collection[str] = RULES) -> list[str]:
    """Findings that are missing, have another status than expected, or are open without a fault.

    Of findings not in `truth` only open ones count, because a cloud has resources of its own."""
    found = {(d.rule, d.uid): d.status for d in documents if d.rule in rules}
    out = [
        f"{rule} {uid}: {found.get((rule, uid), 'missing')}, expected {status}"
        for (rule, uid), status in truth.items()
        if found.get((rule, uid)) != status
    ]
    extra = [key for key, status in found.items() if status == "open" and key not in truth]
    return out + [f"{rule} {uid}: open without a fault" for rule, uid in extra]


def moved(before: Iterable[Shown], after: Iterable[Shown], but: Collection[str] = ()) -> list[str]:
    """The findings that have changed: lost, new, with another status or history; `but` excludes ids."""

    def where(documents: Iterable[Shown]) -> dict[str, tuple[str, int, str]]:
        return {d.id: (d.status, d.reopened, d.opened_at) for d in documents if d.id not in but}

    was, now = where(before), where(after)
    return [f"{id}: {was.get(id)} → {now.get(id)}" for id in {**was, **now} if was.get(id) != now.get(id)]  # fmt: skip


def told_twice(history: Iterable[Mapping[str, Any]]) -> list[str]:
    """Findings that opened more often than their counter says, or were resolved more often than opened."""
    times: dict[tuple[str, str, int], set[str]] = {}
    for source in history:
        own = source["driftline"]
        for name in ("opened_at", "resolved_at"):
            if at := own.get(name):
                times.setdefault((source["event"]["id"], name, own["reopened"]), set()).add(at)
    return [
        f"{id}: {name} {' and '.join(sorted(at))}, reopened {reopened}"
        for (id, name, reopened), at in times.items()
        if len(at) > 1
    ]


def latency(source: Mapping[str, Any]) -> float | None:
    """Seconds from the reading of a document to its delivery to Elasticsearch; None if it has no times."""
    try:
        read = datetime.fromisoformat(source["driftline"]["last_seen"])
        indexed = datetime.fromisoformat(source["event"]["ingested"])
    except (KeyError, ValueError):
        return None
    return max(0.0, (indexed - read).total_seconds())
