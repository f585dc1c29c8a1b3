"""Decides what is read again after an event. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from driftline.collectors.aws.events import names
from driftline.collectors.aws.events.claims import Record, RowMatch, account, claimed, named, where
from driftline.collectors.aws.events.record import NO_RECORD, failed
from driftline.pipeline.model import Change, Read, Scope
from driftline.pipeline.records import codec


@codec.one_record(NO_RECORD)
def reads(record: Record, changes: Sequence[Change]) -> list[Read]:
    """Returns the reads that an event requests: each resource of the event's own account that a successful call changed
    (other accounts receive an event of their own), each scope that it affects, and, by name, resources without a uid."""
    if failed(record) or not changes:
        return []
    out = {
        change.uid: Read(
            provider="aws", scope=False, uid=change.uid, type=change.type, account=change.account, region=change.region,
            reason="change", after=change.occurred_at, change=change.id,
        )
        for change in changes
        if change.type and change.kind in ("create", "update", "delete") and change.account == account(record)
    }  # fmt: skip
    about = {"after": changes[0].occurred_at, "change": changes[0].id}
    for claim in claimed(record):
        if claim.touch.reach:
            region = str(record.get("awsRegion")) if claim.kind.scope == "regional" else "global"
            at = region if claim.touch.reach == "region" or region == "global" else "*"
            scope = Scope(provider="aws", account=account(record), region=at, type=claim.kind.type)
            out[scope.key] = Read(
                provider="aws", scope=True, uid=scope.key, type=scope.type, account=scope.account, region=at, reason="related", **about,
            )  # fmt: skip
        elif claim.change != "use" and claim.kind.one and claim.kind.named.unique:
            for wish in _by_name(claim, record, changes, about):
                out.setdefault(wish.uid, wish)
    return list(out.values())


def _by_name(claim: RowMatch, record: Record, changes: Sequence[Change], about: dict[str, Any]) -> Iterator[Read]:  # fmt: skip
    """Yields, for a claim without a resolved resource, a read by each name that cannot be resolved."""
    kind, place = claim.kind, where(claim, record)
    if claim.touch.seen or not names.uncertain(kind) or place.account != account(record) or any(c.type == kind.type for c in changes):  # fmt: skip
        return
    for one in {one for found in named(claim, record) for one in found}:
        told = names.spelled(kind, one)
        if told and not told.whole and told.account in (None, place.account):
            region = (told.region or place.region) if kind.scope == "regional" else "global"
            yield Read(
                provider="aws", scope=False, uid=names.likely(kind, told, place), name=told.id, type=kind.type,
                account=place.account, region=region, reason="change", **about,
            )  # fmt: skip
