"""Information about a resource other than readings: change events, and session origins. Pure."""

from typing import Any

import msgspec

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.drift.history import remembered
from driftline.pipeline.model import Baseline, Chain, Change, micros
from driftline.pipeline.providers.installed import provider

MUTATING = ("create", "update", "delete")


def remember_change(work: Assessment, record: Change) -> bool:
    """Adds a change to the history, as evidence for differences found now or later. False if it is not evidence
    (only successful changes are), or is already known."""
    if record.outcome != "success" or record.kind not in MUTATING:
        return False
    body, head, at = work.body, work.head, micros(record.occurred_at)
    history = remembered(body.history, body.forgotten, record)
    if history is None:
        return False
    body.history, body.forgotten = history.changes, history.forgotten
    lags = provider(record.provider).settling
    shown = any(one.since < at <= one.at - lags.event_resolution for one in body.drifts)
    if not shown and at > max(head.seen_at - lags.max_lag, body.changed_at):
        body.changed_at, body.agreed_at, head.digest = at, 0, b""
    work.new_evidence = True
    return True


def remember_chain(work: Assessment, record: Chain) -> bool:
    """Adds the origin of a session to its changes. False if that adds nothing."""
    links = [link.model_dump(mode="json", exclude_none=True) for link in record.links]
    past = {"chain": links} | ({"chain_broken": True} if record.broken else {})
    history = [
        msgspec.structs.replace(
            seen, actor={k: v for k, v in seen.actor.items() if not k.startswith("chain")} | past
        )
        if seen.actor.get("session") == record.session
        else seen
        for seen in work.body.history
    ]
    if history == work.body.history:
        return False
    work.body.history, work.new_evidence = history, True
    return True


def described_by_baseline(record: Baseline) -> dict[str, Any]:
    """A resource described only by a baseline."""
    return {
        "uid": record.uid, "type": record.type or "", "provider": "", "account": "", "region": "", "name": "", "tags": {},
    }  # fmt: skip


def described_by_change(record: Change) -> dict[str, Any]:
    """A resource described only by a change."""
    about: dict[str, Any] = {
        "uid": record.uid, "type": record.type or "", "provider": record.provider, "account": record.account,
        "organization": record.organization, "region": record.region, "name": "", "tags": {},
    }  # fmt: skip
    return {key: value for key, value in about.items() if value is not None}
