"""Renders the desired ticket from a group and its listed members. Pure."""

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

from driftline.pipeline.cases.state import CaseState, MemberRow
from driftline.pipeline.model import from_micros
from driftline.pipeline.model.finding import SEVERITIES

TITLE = 250
"""Maximum length of a title: Jira accepts 255."""
LABEL = "driftline"
ENDED = {"passing": "fixed", "gone": "deleted", "suppressed": "accepted"}
Shown = list[tuple[str, MemberRow]]
_MOVING = ("revision", "comments")
"""Fields whose change is not a change of the ticket."""


def ticket(group: str, case: CaseState, shown: Shown) -> dict[str, Any]:
    """The Ticket, without empty fields. `shown`: the members to list, in order."""
    about = case.about
    document: dict[str, Any] = {
        "key": ticket_key(group, case.generation),
        "group": group,
        "generation": case.generation,
        "revision": case.revision,
        "state": case.phase,
        "reason": case.reason,
        "title": _title(case, shown),
        "summary": _summary(case, shown),
        "by": case.by,
        "values": case.values,
        "severity": _severity(case),
        "owner": about.get("owner"),
        "due_at": _due(shown),
        "labels": _labels(case),
        **{name: about.get(name) for name in ("rule", "family", "frameworks", "why", "references")},
        "fix": case.fix,
        "sections": list(_sections(shown)),
        "counts": {state: count for state, count in sorted(case.counts.items()) if count},
        "more": max(0, case.members - len(shown)),
        "comments": [{"id": c.id, "at": from_micros(c.at), "text": c.text} for c in case.comments],
        "evidence": [_evidence(row) for _, row in shown] if case.phase == "closed" else [],
        "follows": ticket_key(group, case.generation - 1) if case.generation > 1 else None,
        "opened_at": from_micros(case.opened_at),
        "closed_at": from_micros(case.closed_at) if case.closed_at else None,
        "reopened": case.reopened,
    }
    required = (
        "generation",
        "revision",
        "sections",
        "counts",
        "values",
        "summary",
        "by",
        "reopened",
    )
    return {name: value for name, value in document.items() if value or name in required}


def ticket_key(group: str, generation: int) -> str:
    return f"{group}.{generation}"


def digest(document: dict[str, Any]) -> bytes:
    """Digest of a ticket's content, to detect changes."""
    said = {name: value for name, value in document.items() if name not in _MOVING}
    return hashlib.blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=8).digest()


def _severity(case: CaseState) -> str:
    failing = [name for name, count in case.severities.items() if count]
    return max(failing or [case.worst or "medium"], key=SEVERITIES.index)


def _title(case: CaseState, shown: Shown) -> str:
    """One line: the problem and, if there is only one, the resource."""
    title = str(case.about.get("title") or case.about.get("rule") or "")
    failing = case.counts.get("failing", 0) or case.members
    if failing == 1 and shown:
        title = f"{title}: {shown[0][1].document.get('resource', '')}"
    elif failing > 1:
        title = f"{title} ({failing} resources)"
    line = " ".join(title.split())
    return line if len(line) <= TITLE else f"{line[: TITLE - 1]}…"


def _summary(case: CaseState, shown: Shown) -> str:
    if case.phase == "closed":
        told = [
            f"{case.counts[state]} {word}"
            for state, word in ENDED.items()
            if case.counts.get(state)
        ]
        return (
            f"Nothing fails any more: {', '.join(told)}."
            if told
            else "Its findings belong to other tickets."
        )
    failing, accounts = case.counts.get("failing", 0), {_account(row) for _, row in shown}
    if failing == 1 and shown and shown[0][1].state == "failing":
        return str(shown[0][1].document.get("sentence") or case.about.get("title", ""))
    at_least = "at least " if case.members > len(shown) else ""
    places = f" in {at_least}{len(accounts)} accounts" if len(accounts) > 1 else ""
    if not failing:
        return "Nothing fails at the moment. The ticket closes if it stays so."
    return f"{failing} {'resource fails' if failing == 1 else 'resources fail'}{places}."


def _due(shown: Shown) -> str | None:
    due = [
        row.document["due_at"]
        for _, row in shown
        if row.state == "failing" and "due_at" in row.document
    ]
    return min(due, default=None)


def _labels(case: CaseState) -> list[str]:
    names = [LABEL, _severity(case), str(case.about.get("family") or "")]
    return [name for name in names if name]


def _account(row: MemberRow) -> str:
    return str(row.document.get("account", ""))


def _sections(shown: Iterable[tuple[str, MemberRow]]) -> Iterable[dict[str, Any]]:
    """By account, in the order of their worst members."""
    sections: dict[str, dict[str, Any]] = {}
    for id, row in shown:
        said = row.document
        section = sections.setdefault(
            _account(row),
            {"account": _account(row), "name": said.get("account_name", ""), "provider": said.get("provider", ""), "members": []},
        )  # fmt: skip
        section["members"].append(_member(id, row))
    return sections.values()


def _member(id: str, row: MemberRow) -> dict[str, Any]:
    said = row.document
    member = {
        "id": id, "state": row.state, "reason": row.reason, "severity": row.severity, "risk": row.risk,
        "resource": said.get("resource", ""), "since": from_micros(row.since),
        "unread_since": from_micros(row.unread_since) if row.unread_since else None,
        "read_at": from_micros(row.read_at) if row.read_at else None,
        **{name: said.get(name) for name in ("uid", "type", "region", "sentence", "due_at", "actor", "command", "link")},
    }  # fmt: skip
    return {name: value for name, value in member.items() if value or name == "resource"}


def _evidence(row: MemberRow) -> str:
    """The evidence that a member is closed."""
    name, since = row.document.get("resource", ""), from_micros(row.since)
    if row.state == "suppressed":
        return f"{name}: accepted at {since}: {row.document.get('exception') or 'no reason given'}"
    read = f", read at {from_micros(row.read_at)}" if row.read_at else ""
    return f"{name}: {ENDED.get(row.state, row.state)} at {since}{read}"
