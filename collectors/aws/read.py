"""The one loop that reads any row: list, details, one snapshot a resource."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from collectors.aws.client import Account, Trouble, plain, trouble
from collectors.redact import Redactor
from collectors.table import Detail, Kind, Tags, text, value
from pipeline.model import Part, Related, Snapshot, Unread

MOST_BYTES = 900_000
ERRORS = (ClientError, BotoCoreError)


class Context(NamedTuple):
    """What a reading of one scope stands in."""

    account: Account
    organization: str | None
    region: str
    """Where the list is called."""
    scope_region: str
    """The scope's: the region, or `global`."""
    sweep: str
    redactor: Redactor
    once: "Once"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Once:
    """Answers that are the same for a whole account, asked for once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], tuple[Any, Trouble | None, datetime]] = {}

    def get(self, key: tuple[str, str], ask: Callable[[], tuple[Any, Trouble | None, datetime]]) -> tuple[Any, Trouble | None, datetime]:
        with self._lock:
            if key not in self._answers:
                self._answers[key] = ask()
            return self._answers[key]


def items(kind: Kind, context: Context) -> Iterator[tuple[dict[str, Any], datetime]]:
    """The listed items, each with the time before its page was asked for. Raises botocore's exceptions."""
    params = {name: value(path, _scope(context, {})) for name, path in kind.list.params.items()}
    pages = context.account.pages(kind.service, context.region, kind.list.operation, params)
    at = context.now()
    for page in pages:
        for item in value(kind.list.items, plain(page)) or []:
            if not (kind.skip and value(kind.skip, {"item": item})):
                yield item, at
        at = context.now()


def resource(kind: Kind, context: Context, item: dict[str, Any], listed_at: datetime) -> Snapshot | None:
    """One resource whole: None where it vanished between the list and a call."""
    for name in kind.list.decode_at:
        item[name] = _decoded(item.get(name))
    scope = _scope(context, item)
    region = str(value(kind.region, scope)) if kind.region else context.scope_region
    where = region if region != "global" else context.region
    name = str(value(kind.name, scope) or "")
    name = name.rsplit(kind.name_after, 1)[-1] if kind.name_after else name
    scope["name"] = name
    config: dict[str, Any] = {}
    parts: list[Part] = []
    unread: list[Unread] = []
    if kind.list.keep:
        config[kind.list.part] = item
        parts.append(Part(name=kind.list.part, captured_at=listed_at))
    for detail in kind.details:
        answer, why, at = _detail(kind, detail, context, scope, where)
        if why is not None and why.reason == "gone":
            return None
        if why is not None and why.reason != "absent":
            unread.append(Unread(part=detail.part, reason=why.reason, code=why.code))
        else:
            config[detail.part] = answer
            parts.append(Part(name=detail.part, captured_at=at))
    tags, tag_trouble = _tags(kind, context, scope, where)
    if tag_trouble is not None:
        unread.append(tag_trouble)
    config = context.redactor.config(config, kind.redact)
    _limit(config, parts, unread)
    return Snapshot(
        uid=text(kind.uid, scope), type=kind.type, provider="aws", organization=context.organization,
        account=context.account.id, region=region, name=name, tags=tags, captured_at=listed_at,
        config=config, parts=parts, unread=unread, sweep=context.sweep,
        incarnation=str(value(kind.incarnation, scope)) if kind.incarnation else None,
        related=[
            Related(uid=text(r.uid, scope), relation=r.relation, type=r.type) for r in kind.relations
        ],
    )  # fmt: skip


def _scope(context: Context, item: dict[str, Any]) -> dict[str, Any]:
    account = context.account
    return {"item": item, "account": account.id, "partition": account.partition, "region": context.region}


def _detail(
    kind: Kind, detail: Detail, context: Context, scope: dict[str, Any], region: str
) -> tuple[Any, Trouble | None, datetime]:
    def ask() -> tuple[Any, Trouble | None, datetime]:
        at = context.now()
        paths = kind.params if detail.params is None else detail.params
        params = {name: value(path, scope) for name, path in paths.items()}
        try:
            answer = context.account.call(detail.service or kind.service, region, detail.operation, params)
        except ERRORS as error:
            return None, trouble(error, tuple(detail.absent), tuple(kind.gone)), at
        got = value(detail.value, plain(answer))
        if detail.decode:
            got = _decoded(got)
        for name in detail.decode_at:
            if isinstance(got, dict) and name in got:
                got[name] = _decoded(got[name])
        return got, None, at

    if detail.once:
        return context.once.get((kind.type, detail.part), ask)
    return ask()


def _tags(kind: Kind, context: Context, scope: dict[str, Any], region: str) -> tuple[dict[str, str], Unread | None]:
    row: Tags | None = kind.tags
    if row is None:
        return {}, None
    if row.item:
        return _as_map(value(row.item, scope)), None
    paths = kind.params if row.params is None else row.params
    params = {name: value(path, scope) for name, path in paths.items()}
    try:
        answer = context.account.call(kind.service, region, row.operation or "", params)
    except ERRORS as error:
        why = trouble(error, tuple(row.absent), tuple(kind.gone))
        if why.reason in ("absent", "gone"):
            return {}, None
        return {}, Unread(part="tags", reason=why.reason, code=why.code)
    return _as_map(value(row.value, plain(answer))), None


def _as_map(tags: Any) -> dict[str, str]:
    if isinstance(tags, dict):
        return {str(k): str(v) for k, v in tags.items()}
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags or []}


def _decoded(answer: Any) -> Any:
    """JSON that AWS sends as text; what cannot be decoded stays text (a rule that reads it says unknown)."""
    if not isinstance(answer, str):
        return answer
    try:
        return json.loads(answer)
    except ValueError:
        return answer


def _limit(config: dict[str, Any], parts: list[Part], unread: list[Unread]) -> None:
    """Gives up the largest part where the whole would not fit a record; says so as unread."""
    sizes = {part: len(json.dumps(value)) for part, value in config.items()}
    while sum(sizes.values()) > MOST_BYTES:
        largest = max(sizes, key=lambda part: sizes[part])
        del config[largest], sizes[largest]
        parts[:] = [part for part in parts if part.name != largest]
        unread.append(Unread(part=largest, reason="oversize", code="TooLarge"))
