"""Re-reads a resource or scope, as requested after a change or an unsettled reading."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import re2  # type: ignore[import-untyped]

from driftline.collectors.aws.api.client import Account
from driftline.collectors.aws.api.errors import ERRORS, NotOffered, trouble
from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.api.to_json import plain
from driftline.collectors.aws.events.names import spelled
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.sweep.accounts import Accounts, accounts
from driftline.collectors.aws.sweep.collect import sweep
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.collectors.aws.sweep.read import (
    CallCache,
    ScopeContext,
    items,
    resource,
)
from driftline.collectors.base import Emit, PreviousSweep, Vanished
from driftline.collectors.rows.build import GLOBAL
from driftline.collectors.rows.paths import text, value
from driftline.pipeline.model import CloudAccount, Read, Snapshot, Unread

ANEW = 900.0
"""Seconds after which the role in an account is assumed again, so that changes of access take effect."""

NAMED = 3600.0
"""Seconds after which account names are requested again."""


class ResourceReader:
    """Performs re-reads. Its methods may be called concurrently."""

    def __init__(
        self,
        options: CollectOptions,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises UserError if there are no usable credentials."""
        self._options, self._now, self._clock = options, now, clock
        self.stop = threading.Event()
        self._organization = Organization(
            options.profile, options.role_arn, options.external_id, options.requests_per_second,
            options.concurrency, self.stop,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._accounts: dict[str, tuple[float, Account]] = {}
        self._known: tuple[float, Accounts] | None = None

    def one(self, wish: Read) -> Snapshot | None:
        """The current resource; a deletion if the provider does not know it; denied parts as unread. None
        if no row reads its type. Raises ERRORS for transient errors: it is retried."""
        kind = kinds().get(wish.type)
        if kind is None:
            return None
        at = self._now()
        try:
            context = self._context(kind, wish)
            found = single(kind, context, wish.uid, wish.name)
        except ERRORS as error:
            why = trouble(error, kind.listing.absent, kind.gone)
            if why.reason == "denied":
                return _bare(
                    wish,
                    at,
                    self._owner(wish.account),
                    unread=[Unread(part="*", reason="denied", code=why.code)],
                )
            if isinstance(error, NotOffered) or why.reason not in ("gone", "absent"):
                raise
            found = None
        if found is None:
            return _bare(
                wish, at, self._owner(wish.account), deleted=True, deleted_reason="not_found"
            )
        return found.model_copy(update={"source": "event", "sweep": None})

    def scope(self, wish: Read, known: dict[str, PreviousSweep], emit: Emit) -> None:
        """Reads a whole scope, as a separate sweep. Raises what sweep raises."""
        region = [] if wish.region in ("*", GLOBAL) else [wish.region]
        options = replace(self._options, accounts=[wish.account], regions=region, types=[wish.type], shard=(0, 1))  # fmt: skip
        sweep(options, known, emit)

    def code(self, error: Exception) -> str | None:
        """The AWS code of a call's error; None for any other error."""
        return trouble(error).code if isinstance(error, ERRORS) else None

    def _context(self, kind: Kind, wish: Read) -> ScopeContext:
        account = self._account(wish.account)
        home = self._organization.home
        globally = kind.scope == "global"
        return ScopeContext(
            account, self._owner(wish.account), home if globally else wish.region, GLOBAL if globally else wish.region, "",
            self._options.redactor, CallCache(), self._now,
        )  # fmt: skip

    def _owner(self, id: str) -> CloudAccount:
        with self._lock:
            if self._known is None or self._clock() - self._known[0] > NAMED:
                self._known = (self._clock(), accounts(self._organization))
            return self._known[1].of(id)

    def _account(self, id: str) -> Account:
        with self._lock:
            known = self._accounts.get(id)
            if known is None or self._clock() - known[0] > ANEW:
                known = (self._clock(), self._organization.enter(id, self._options.role_name))
                self._accounts[id] = known
            return known[1]


def single(kind: Kind, context: ScopeContext, uid: str, name: str | None = None) -> Snapshot | None:
    """Reads one resource by its row; None if there is none with that uid or name, or if it belongs to another account, whose
    sweeps do not list it here. Raises ERRORS."""
    if _elsewhere(uid, context.account.id):
        return None

    def wanted(found: str) -> bool:
        told = spelled(kind, found) if name is not None else None
        return told.id.casefold() == str(name).casefold() if told else found == uid

    for item, at in _candidates(kind, context, uid, name):
        if kind.skip and value(kind.skip, context.holes(item)):
            continue
        named = text(kind.uid, context.holes(item))
        if named is not None and not wanted(named):
            continue
        read = resource(kind, context, item, at)
        if isinstance(read, Vanished):
            if wanted(read.uid):
                return None
        elif wanted(read.uid):
            return read
    return None


def _elsewhere(uid: str, account: str) -> bool:
    """Whether a uid names a different account (`aws`: none)."""
    steps = uid.split(":", 5)
    return len(steps) == 6 and steps[0] == "arn" and steps[4] not in ("", account)


def _candidates(
    kind: Kind, context: ScopeContext, uid: str, name: str | None
) -> Iterator[tuple[dict[str, Any], datetime]]:
    """The items that contain it: from the restricted call, or from the whole listing."""
    fields = taken_apart(kind.uid, uid)
    if kind.one is None or fields is None:
        yield from items(kind, context)
        return
    holes = context.holes(fields) | {"uid": uid, "tail": name or re.split(r"[/:]", uid)[-1]}
    params = {name: value(path, holes) for name, path in kind.one.params.items()}
    operation = kind.one.operation or kind.listing.operation
    service = kind.listing.service or kind.service
    at = context.now()
    try:
        for page in context.account.pages(service, context.region, operation, params):
            found = value(kind.one.items or kind.listing.items, plain(page))
            for item in found if isinstance(found, list) else [found] if found else []:
                yield item, at
    except ERRORS as error:
        codes = [*kind.gone, *kind.one.gone, *kind.listing.absent]
        if trouble(error, codes).reason != "absent":
            raise


@cache
def _pattern(template: str) -> tuple[Any, list[str]]:
    """The pattern for parsing a uid (RE2, because a uid may come from an event), and the paths of its fields."""
    pattern, paths = "", []
    for text_, hole in re.findall(r"([^{]*)(?:\{([^{}]+)\})?", template):
        pattern += re2.escape(text_)
        if hole.startswith("item."):
            paths.append(hole.removeprefix("item."))
            pattern += "(.+)" if template.endswith("{" + hole + "}") else "(.+?)"
        elif hole:
            pattern += "[^:]*"
    return re2.compile(f"(?s){pattern}"), paths


def taken_apart(template: str, uid: str) -> dict[str, Any] | None:
    """The item fields from which a uid was built; None if it has another form."""
    pattern, paths = _pattern(template)
    match = pattern.fullmatch(uid)
    if match is None:
        return None
    fields: dict[str, Any] = {}
    for path, found in zip(paths, match.groups(), strict=True):
        holder = fields
        *above, last = path.split(".")
        for step in above:
            holder = holder.setdefault(step, {})
        holder[last] = found
    return fields


def _bare(wish: Read, at: datetime, owner: CloudAccount, **more: Any) -> Snapshot:
    return Snapshot(
        uid=wish.uid, type=wish.type, class_=kinds()[wish.type].class_, provider="aws", organization=owner.organization, cloud_account=owner, account=wish.account, region=wish.region,
        captured_at=at, source="event", **more,
    )  # fmt: skip
