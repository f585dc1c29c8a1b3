"""Turns a CloudTrail record into changes: one for each resource that it touches. Pure.

Fields: docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from driftline.collectors.aws.events import names
from driftline.collectors.aws.events.actor import actor, by_aws, not_proven
from driftline.collectors.aws.events.claims import (
    Record,
    RowMatch,
    account,
    claimed,
    kind_of_call,
    named,
    names_unresolved,
    owner,
    where,
)
from driftline.collectors.aws.events.logfile import insight
from driftline.collectors.aws.events.names import NameResolver
from driftline.collectors.aws.places import places
from driftline.collectors.aws.row import Kind
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Change
from driftline.pipeline.records import codec

MOST_BYTES = 200_000
"""Maximum size of an event in Kafka; CloudTrail's own limit is 256 kB."""
MOST_RESOURCES = 2000
"""Maximum number of resources of one event, each of which becomes a change: twice what AWS calls accept."""
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?")
ISSUING = frozenset(
    {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetSessionToken", "GetFederationToken"}
)  # fmt: skip
"""STS calls that return the credentials of a new session."""
EVIDENCE = ISSUING | {"ConsoleLogin", "SwitchRole"}
"""Always kept, whatever the record says about itself: they show who signed in, and how."""


NO_RECORD = "no CloudTrail record"
TEXTS = ("eventID", "eventSource", "eventTime", "awsRegion", "recipientAccountId")
"""Fields that identify the event and its place. They must be text."""


@dataclass(frozen=True)
class ChangeReader:
    """Reads records. `wanted`: which read-only and data events are kept, because a detection uses them; `source`: how
    the records arrived."""

    redactor: Redactor
    source: str
    resolver: NameResolver
    wanted: Callable[[Record], bool] = lambda _: False

    @codec.one_record(NO_RECORD)
    def changes(self, record: Any) -> list[Change]:
        """Returns the changes of one record; none if the record is not kept. Raises Malformed if it is not a CloudTrail
        record."""
        if insight(record):
            return []
        if not isinstance(record, dict) or not isinstance(record.get("eventName"), str):
            raise Malformed(f"{NO_RECORD}: it has no eventName")
        for name in TEXTS:
            if not isinstance(record.get(name, ""), str | None):
                raise Malformed(f"{NO_RECORD}: {name} is no text")
        return list(self._changes(record)) if self._kept(record) else []

    def _kept(self, record: Record) -> bool:
        if record["eventName"] in EVIDENCE or failed(record):
            return True
        quiet = record.get("readOnly") in (True, "true") or record.get("managementEvent") in (False, "false")  # fmt: skip
        return not quiet or self.wanted(record)

    def _changes(self, record: Record) -> Iterator[Change]:
        found = list(self._touched(record))
        base = self._base(record) | {
            "named": names_unresolved(record, [claim for claim, *_ in found])
        }
        named = [uid for claim, _, uid, _ in found if claim.touch.id is not None]
        uids = sorted(set(named) or {uid for _, _, uid, _ in found})
        if len(uids) > MOST_RESOURCES:
            raise Malformed(f"{NO_RECORD}: it names more than {MOST_RESOURCES} resources")
        for claim, region, uid, _ in found:
            kind = base["kind"] if base["kind"] == "read" or claim.change == "use" else claim.change
            yield Change.model_validate(
                base | {"uid": uid, "type": claim.kind.type, "account": owner(claim.kind, uid, record), "region": region,
                        "kind": kind, "resources": uids, "aside": bool(named) and claim.touch.id is None,
                        "parts": claim.touch.parts if kind == "update" else []}
            )  # fmt: skip
        if not found:  # the call may still be known
            kind = base["kind"] if base["kind"] == "read" else kind_of_call(record) or base["kind"]
            yield Change.model_validate(
                base | {"uid": f"account:aws:{base['account']}", "kind": kind}
            )
        if (session := issued(record)) and not failed(record):
            key, role = session
            yield Change.model_validate(
                base | {"uid": f"session:{key}", "kind": "session", "resources": [role] if role else [], "raw": {}, "request": None, "named": []}
            )  # fmt: skip

    def _base(self, record: Record) -> dict[str, Any]:
        raw = self._redacted(record)
        return {
            "id": record.get("eventID") or _digest(record), "provider": "aws", "account": account(record),
            "region": str(record.get("awsRegion") or "global"), "service": str(record.get("eventSource") or ""),
            "action": record["eventName"], "actor": actor(record), "source_ip": _string(record.get("sourceIPAddress")),
            "user_agent": _string(record.get("userAgent")), "occurred_at": utc(record.get("eventTime")),
            "outcome": "failure" if failed(record) else "success", "error": _string(record.get("errorCode")),
            "shared": _string(record.get("sharedEventID")), "deployment": deployment(record), "source": self.source,
            "request": raw.get("requestParameters"), "raw": raw,
            "kind": "read" if record.get("readOnly") in (True, "true") else "other",
        }  # fmt: skip

    def _redacted(self, record: Record) -> dict[str, Any]:
        keep = dict(record)
        for name in sorted(("requestParameters", "responseElements", "serviceEventDetails", "additionalEventData"),
                           key=lambda name: -_size(record.get(name))):  # fmt: skip
            if _size(keep) <= MOST_BYTES:
                break
            if keep.get(name) is not None:
                keep[name] = {
                    "omitted": True,
                    "originalSize": _size(keep[name]),
                    "reason": "too large",
                }
        data = _json(keep)
        if len(data) > 2 * MOST_BYTES:
            raise Malformed(f"{NO_RECORD}: {len(data)} bytes (known are {MOST_BYTES})")
        codec.check_depth(data, codec.MAX_DEPTH - codec.WRAPPED)
        return self.redactor.event(keep, places())

    def _touched(self, record: Record) -> Iterator[tuple[RowMatch, str, str, None]]:
        seen = set()
        for claim in claimed(record):
            if claim.touch.reach:
                continue
            for uid in self._uids(claim, record):
                if (claim.kind.type, uid) not in seen:
                    seen.add((claim.kind.type, uid))
                    yield claim, self._region(claim.kind, record, uid), uid, None

    def _region(self, kind: Kind, record: Record, uid: str) -> str:
        if kind.scope == "regional":
            told = names.spelled(kind, uid)
            return (told and told.region) or str(record.get("awsRegion") or "global")
        return self.resolver.region(uid) or "global"

    def _uids(self, claim: RowMatch, record: Record) -> list[str]:
        """Returns the uids by the first path that names resources of the type; for a type of which there is only one
        resource, the uid of that one."""
        place = where(claim, record)
        if claim.touch.id is None:
            uid = names.filled(claim.kind, names.NameParts("", None, None, None, False), place)
            return [uid] if uid else []
        for found in named(claim, record):
            uids = [
                names.uid_of(claim.kind, one, place, self.resolver, seen=claim.touch.seen)
                for one in found
            ]
            if some := [uid for uid in uids if uid]:
                return some
        return []


def utc(time: Any) -> Any:
    """Returns an event's time in UTC, as CloudTrail writes it, even if whoever stored the event dropped the time zone."""
    return f"{time}Z" if isinstance(time, str) and _NAIVE.fullmatch(time) else time


def failed(record: Record) -> bool:
    """Returns whether the call was denied or failed."""
    return bool(record.get("errorCode") or record.get("errorMessage")) or not_proven(record)


def deployment(record: Record) -> str | None:
    """Returns the stack that the call belongs to, if CloudFormation made it and says so."""
    who = record.get("userIdentity")
    agents = (who.get("invokedBy"), record.get("userAgent")) if isinstance(who, dict) else ()
    if not isinstance(who, dict) or "cloudformation.amazonaws.com" not in agents or not by_aws(record):  # fmt: skip
        return None
    request = record.get("requestParameters")
    token = request.get("clientRequestToken") if isinstance(request, dict) else None
    session = who.get("sessionContext")
    attributes = session.get("attributes") if isinstance(session, dict) else None
    made = attributes.get("creationDate") if isinstance(attributes, dict) else None
    return _string(token) or (f"{who.get('accessKeyId')}/{made}" if made else None)


def issued(record: Record) -> tuple[str, str | None] | None:
    """Returns the access key that the call issued, and the role it is for."""
    if record["eventName"] not in ISSUING or not str(record.get("eventSource")).startswith("sts."):
        return None
    response, request = record.get("responseElements"), record.get("requestParameters")
    given = response.get("credentials") if isinstance(response, dict) else None
    key = given.get("accessKeyId") if isinstance(given, dict) else None
    role = request.get("roleArn") if isinstance(request, dict) else None
    return (key, _string(role)) if isinstance(key, str) and key else None


def _digest(record: Record) -> str:
    """Returns an id for an event without one: always the same for the same record."""
    return hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _string(found: Any) -> str | None:
    return found if isinstance(found, str) and found else None


def _json(found: Any) -> bytes:
    try:
        return orjson.dumps(found)
    except TypeError:
        raise Malformed(f"{NO_RECORD}: what it holds is no JSON") from None


def _size(found: Any) -> int:
    return len(_json(found))
