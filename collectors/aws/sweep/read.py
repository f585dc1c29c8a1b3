"""Reads the resources of any row: listing, details, one snapshot per resource."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from driftline.collectors.aws.api.client import Account
from driftline.collectors.aws.api.errors import ERRORS, CallFailure, trouble
from driftline.collectors.aws.api.to_json import decoded, plain, tags_of
from driftline.collectors.aws.row import Detail, Each, Kind, ListCall, Under
from driftline.collectors.aws.sweep.joins import JOINS, policies
from driftline.collectors.base import Vanished
from driftline.collectors.redact import Redactor
from driftline.collectors.rows.build import (
    GLOBAL,
    PartsRead,
    Surroundings,
    named,
    region_of,
    snapshot,
)
from driftline.collectors.rows.paths import text, value
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import CloudAccount, Snapshot

Answer = tuple[Any, CallFailure | None, datetime]
"""A part's value, or the reason why there is none, and the time before the call."""


class ScopeContext(NamedTuple):
    """The context of reading one scope."""

    account: Account
    owner: CloudAccount
    """The account with its name and ancestors, as far as known."""
    region: str
    """The region of the listing call."""
    scope_region: str
    """The scope's: the region, or `global`."""
    sweep: str
    redactor: Redactor
    once: "CallCache"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def holes(self, item: dict[str, Any]) -> dict[str, Any]:
        """The input of a row's paths."""
        account = self.account
        return {
            "item": item,
            "account": account.id,
            "partition": account.partition,
            "region": self.region,
        }


class CallCache:
    """Responses that apply to a whole account, or a region of it, requested once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str, str], Answer] = {}

    def get(self, key: tuple[str, str, str], ask: Callable[[], Answer]) -> Answer:
        """The response, requested by the first caller; the others wait."""
        with self._lock:
            if key not in self._answers:
                self._answers[key] = ask()
            return self._answers[key]


@dataclass
class ResourceReading:
    """One resource while it is read."""

    kind: Kind
    context: ScopeContext
    holes: dict[str, Any]
    region: str
    """The region of its detail calls."""
    read: PartsRead = field(default_factory=PartsRead)

    def ask(self, service: str, operation: str, params: Mapping[str, str]) -> Any:
        """One call with the row's params filled in; raises ERRORS."""
        filled = {name: value(path, self.holes) for name, path in params.items()}
        return plain(self.context.account.call(service, self.region, operation, filled))


def items(kind: Kind, context: ScopeContext) -> Iterator[tuple[dict[str, Any], datetime]]:
    """The listed items, each with the time before its page was requested. Raises ERRORS."""
    try:
        yield from _all(kind, context)
    except ERRORS as error:
        if trouble(error, kind.listing.absent).reason != "absent":
            raise


def _all(kind: Kind, context: ScopeContext) -> Iterator[tuple[dict[str, Any], datetime]]:
    under = kind.listing.under
    if under is None:
        yield from _items(kind, context, {})
        return
    for parent, _ in _asked(kind, context, under, {}):
        try:
            yield from _items(kind, context, parent)
        except ERRORS as error:
            if trouble(error, (), kind.gone).reason != "gone":
                raise


def _items(
    kind: Kind, context: ScopeContext, parent: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], datetime]]:
    for listed, at in _asked(kind, context, kind.listing, parent):
        item = parent | listed
        if not (kind.skip and value(kind.skip, context.holes(item))):
            yield item, at


def _asked(
    kind: Kind, context: ScopeContext, call: ListCall | Under, parent: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], datetime]]:
    """The items of a paged call."""
    holes = context.holes({}) | {"parent": parent}
    params = {name: value(path, holes) for name, path in call.params.items()}
    service = call.service or kind.service
    pages = context.account.pages(service, context.region, call.operation, params)
    at = context.now()
    for page in pages:
        for item in value(call.items, plain(page)) or []:
            yield item, at
        at = context.now()


def resource(
    kind: Kind, context: ScopeContext, item: dict[str, Any], listed_at: datetime
) -> Snapshot | Vanished:
    """Reads one resource completely. A "not found" from a call affects only its own part: it may concern something else,
    and the listing contained the resource. Raises for bugs (a row that does not match its responses), and ERRORS if the
    call that provides the uid failed."""
    holes = context.holes(item)
    whole = ResourceReading(kind, context, holes, context.region)
    why = _listed(whole, item, listed_at)
    uid = text(kind.uid, holes)
    region = region_of(kind, holes, context.scope_region)
    whole.region = context.region if region == GLOBAL else region
    holes["name"] = named(kind, holes)
    uid = uid or text(kind.uid, holes)
    if uid is None:
        raise ValueError(f"{kind.type}: the listed item gives no uid by {kind.uid}")
    if why is not None and why.reason == "gone":
        return Vanished(uid)
    missing = False
    for detail in kind.details:
        got, why, at = _detail(whole, detail)
        if why is None or why.reason == "absent":
            whole.read.keep(detail.part, got, at)
        else:
            missing = missing or why.reason == "gone"
            whole.read.hide(detail.part, why.hidden, why.code)
    tags = _tags(whole)
    around = Surroundings("aws", context.owner, context.redactor, context.sweep)
    read = snapshot(kind, holes, whole.read, around, region=region, at=listed_at, tags=tags)
    return Vanished(uid, read) if missing and not read.parts else read


def _listed(
    whole: ResourceReading, item: dict[str, Any], listed_at: datetime
) -> CallFailure | None:
    """Completes the listed item and its part."""
    kind, row = whole.kind, whole.kind.listing
    for complete in kind.complete:
        if value(complete.unless, whole.holes) is not None:
            continue
        service = complete.service or kind.service
        try:
            answer = whole.ask(
                service,
                complete.operation,
                kind.params if complete.params is None else complete.params,
            )
        except ERRORS as error:
            why = trouble(error, (), kind.gone)
            if why.reason != "gone":
                if text(kind.uid, whole.holes) is None:
                    raise  # without a uid it cannot be reported as unread
                whole.read.hide(row.part, why.hidden, why.code)
            return why
        added = value(complete.value, answer)
        if added is None:
            return CallFailure("gone", "", "")
        item |= added
    if not row.keep:
        return None
    try:
        for name in row.decode_at:
            if name in item:
                item[name] = decoded(item[name])
    except Malformed:
        whole.read.hide(row.part, "failed", "Malformed")
        return None
    whole.read.keep(row.part, _dropped(item, row.drop), listed_at)
    return None


def _detail(whole: ResourceReading, detail: Detail) -> Answer:
    context, kind = whole.context, whole.kind
    if detail.given and not value(detail.given, whole.holes):
        return None, None, context.now()
    if detail.joined:
        return _joined(whole, detail, detail.joined)
    if detail.once:
        where = whole.region if detail.once == "region" else GLOBAL
        return context.once.get((kind.type, detail.part, where), lambda: _ask(whole, detail))
    return _ask(whole, detail)


def _joined(whole: ResourceReading, detail: Detail, join: str) -> Answer:
    def asked() -> Answer:
        got, why, at = _ask(whole, detail)
        return (policies(got) if why is None else None), why, at

    known, why, at = whole.context.once.get(("joined", detail.operation, GLOBAL), asked)
    return (JOINS[join](known, whole.read.config) if why is None else None), why, at


def _ask(whole: ResourceReading, detail: Detail) -> Answer:
    kind, at = whole.kind, whole.context.now()
    service = detail.service or kind.service
    try:
        answer = whole.ask(
            service, detail.operation, kind.params if detail.params is None else detail.params
        )
        got = value(detail.value, answer)
        if detail.decode:
            got = decoded(got) or None
        for name in detail.decode_at:
            if isinstance(got, dict) and name in got:
                got[name] = decoded(got[name])
        got = _dropped(got, detail.drop)
    except ERRORS as error:
        return None, trouble(error, detail.absent, kind.gone, detail.absent_text or ""), at
    except Malformed as error:
        return None, CallFailure("failed", "Malformed", str(error)), at
    if detail.each is None:
        return got, None, at
    return _each(whole, detail.each, service, got or [], at)


def _dropped(got: Any, paths: Collection[str]) -> Any:
    """A part without some fields; paths pass through lists, and with the step `*` through all values of a map."""
    if isinstance(got, list) and paths:
        return [_dropped(one, paths) for one in got]
    if not isinstance(got, dict) or not paths:
        return got
    below = {
        key: [p.partition(".")[2] for p in paths if p.startswith((f"{key}.", "*."))] for key in got
    }
    return {key: _dropped(item, below[key]) for key, item in got.items() if key not in paths}


def _each(
    whole: ResourceReading, each: Each, service: str, elements: list[Any], at: datetime
) -> Answer:
    """A call for every element. If one cannot be read, the part is unread, because a partial list would be wrong."""
    out: dict[str, Any] = {}
    for element in elements:
        holes = whole.holes | {"element": element}
        if each.only and not value(each.only, holes):
            continue
        region = (each.region and value(each.region, holes)) or whole.region
        asking = ResourceReading(whole.kind, whole.context, holes, region)
        try:
            answer = asking.ask(each.service or service, each.operation, each.params)
            got = value(each.value, answer)
            got = decoded(got) if each.decode else got
        except ERRORS as error:
            why = trouble(error, each.absent, whole.kind.gone)
            if why.reason == "gone":
                continue  # the element was deleted meanwhile
            if why.reason != "absent":
                return None, why, at
            got = None
        except Malformed as error:
            return None, CallFailure("failed", "Malformed", str(error)), at
        if each.into is None:
            out[str(element)] = got
        else:
            element[each.into] = got
    return (elements if each.into else out), None, at


def _tags(whole: ResourceReading) -> dict[str, str]:
    row, kind = whole.kind.tags, whole.kind
    if row is None:
        return {}
    if row.item:
        return tags_of(value(row.item, whole.holes))
    try:
        answer = whole.ask(
            kind.service, row.operation or "", kind.params if row.params is None else row.params
        )
    except ERRORS as error:
        why = trouble(error, row.absent, kind.gone)
        if why.reason != "absent":
            whole.read.hide("tags", why.hidden, why.code)
        return {}
    return tags_of(value(row.value, answer))
