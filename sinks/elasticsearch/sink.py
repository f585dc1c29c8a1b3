"""The Elasticsearch sink, using elasticsearch-py's async client."""

import asyncio
import base64
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from elastic_transport import AiohttpHttpNode
from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from driftline.pipeline.records.topics import ALERTS, DAY_MS, DRIFT, FINDINGS, RESTATEMENTS
from driftline.pipeline.settings.connections import Renewable
from driftline.sinks.base import Action, Busy, Limits, Op, Receipt
from driftline.sinks.elasticsearch import alert_documents, drift, render, restate, topics
from driftline.sinks.elasticsearch.missing import Missing
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.http import session
from driftline.sinks.module import SinkContext
from driftline.sinks.retry_after import seconds_of

logging.getLogger("elastic_transport").setLevel(logging.WARNING)  # logs a line per request
READ_AT_ONCE = 500
"""Maximum number of documents per `_mget` for restatements."""
MOST_BYTES = 8_000_000
"""Maximum actions per bulk: a whole batch. Measured: smaller or concurrent bulks cost the node more than they gain."""
KEPT_OF_ANSWER = ["items.*.status", "items.*.error.type", "items.*.error.reason"]
AGAIN = {401, 403, 404, 408, 429}
"""Item statuses that concern the destination (no index, no permission, a block, overload), not the document."""
DONE = Receipt("done")
OPERATIONS: dict[Op, str] = {"upsert": "index", "append": "create", "delete": "delete"}
"""Names of operations in a bulk."""
Line = list[bytes]
"""An action in a bulk: its header, and its body unless it is a deletion."""


def client(settings: ElasticsearchSettings) -> AsyncElasticsearch:
    """The client of the settings: TLS, proxy, basic or API key."""
    more: dict[str, Any] = {}
    if settings.api_key:
        more["api_key"] = settings.api_key.get_secret_value()
    elif settings.username and settings.password:
        # the client would reject a non-ASCII password
        who = f"{settings.username}:{settings.password.get_secret_value()}"
        more["basic_auth"] = base64.b64encode(who.encode()).decode()

    class Node(AiohttpHttpNode):
        """Uses Driftline's sessions: the client's own accept any host's certificate for IP addresses, and do not support proxies."""

        def _create_aiohttp_session(self) -> None:
            self._loop = asyncio.get_running_loop()
            self.session = session(
                settings, connections=self.config.connections_per_node, headers=self.headers,
                skip_auto_headers=("accept", "accept-encoding", "user-agent"),
            )  # fmt: skip

    return AsyncElasticsearch(
        settings.urls, request_timeout=30, max_retries=0, retry_on_timeout=False, node_class=Node, **more,
    )  # fmt: skip


class ElasticsearchSink:
    """Upserts the latest view with external versions, and appends to the histories of findings and drifts; alerts are
    upserted too. `context`: the deployment, used to search for missing documents; without it, they are not searched."""

    topics = topics
    limits = Limits()  # bulks are split here, where bodies are already JSON
    transitions_only = False

    def __init__(
        self, settings: ElasticsearchSettings, connection: AsyncElasticsearch | None = None, context: SinkContext | None = None,
    ) -> None:  # fmt: skip
        self._settings, self._namespace = Renewable(settings), settings.namespace
        self._name = context.name if context else "elasticsearch"
        self._client = connection or client(settings)
        self._missing = Missing(context, self.render, self._written) if context else None

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        if topic == DRIFT.name:
            return drift.actions(document, now, self._namespace)
        if topic == ALERTS.name:
            return alert_documents.actions(document, now, self._namespace)
        if topic == RESTATEMENTS.name:
            return restate.actions(document)
        return render.actions(document, now, self._namespace)

    def forget(self, topic: str, key: str, at: int) -> list[Action]:
        """Deletes the latest document, unless it is from the last day, in which case the finding has returned."""
        if topic != FINDINGS.name:
            return []
        return [Action("delete", render.ALIAS, key, at - DAY_MS, None)]

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        """Sends restatements after the findings they belong to. Raises Busy if nothing was accepted."""
        whole = [action for action in actions if not action.behind]
        again = [action for action in actions if action.behind]
        receipts = await self._written(whole) if whole else []
        if again and any(receipt.kind == "again" for receipt in receipts):
            more = [Receipt("again", "statements wait")] * len(again)
        elif again:
            try:
                more = await self._merged(again)
            except Busy as why:
                if not receipts:
                    raise
                more = [Receipt("again", str(why))] * len(again)
        else:
            more = []
        each = {True: iter(more), False: iter(receipts)}
        return [next(each[action.behind]) for action in actions]

    async def _merged(self, again: Sequence[Action]) -> list[Receipt]:
        """Merges restatements with existing documents. Missing documents are searched concurrently."""
        receipts: list[Receipt] = []
        for first in range(0, len(again), READ_AT_ONCE):
            some = again[first : first + READ_AT_ONCE]
            now = int(time.time() * 1e6)
            found = [restate.merged(*both, now, self._name) for both in zip(some, await self._there(some), strict=True)]  # fmt: skip
            writes = [one for one in found if isinstance(one, Action)]
            written = iter(await self._written(writes) if writes else [])
            for action, one in zip(some, found, strict=True):
                if one is None and self._missing:
                    self._missing.want(action)
                receipts.append(next(written) if isinstance(one, Action) else one or DONE)
        if self._missing:
            self._missing.look()
        return receipts

    async def _there(self, actions: Sequence[Action]) -> list[dict[str, Any]]:
        """The documents of actions, from `_mget`. Raises Busy."""
        try:
            answer = await self._client.mget(index=render.ALIAS, ids=[a.id for a in actions])
        except ApiError as error:
            await self._refused(error)
            raise Busy(self._told(error), _retry_after(error)) from None
        except TransportError as error:
            await self._reconnect()
            raise Busy(error.message[:300]) from None
        docs: list[dict[str, Any]] = answer.get("docs") or []
        if len(docs) != len(actions):
            raise Busy(f"the answer has {len(docs)} documents for {len(actions)} ids")
        return docs

    async def _written(self, actions: Sequence[Action]) -> list[Receipt]:
        """Sends bulks of up to 8 MB. Raises Busy if not even the first was accepted."""
        receipts: list[Receipt] = []
        for bulk in bulks(actions):
            try:
                receipts += await self._bulk(bulk)
            except Busy as why:
                if not receipts:
                    raise
                return receipts + [Receipt("again", str(why))] * (len(actions) - len(receipts))
        return receipts

    async def _bulk(self, bulk: Sequence[Line]) -> list[Receipt]:
        """Sends one request. If it is rejected as a whole because of its content, it is halved until the offending action is isolated."""
        operations: list[Any] = [text for line in bulk for text in line]
        try:
            answer = await self._client.bulk(operations=operations, filter_path=KEPT_OF_ANSWER)
            items = answer.get("items") or []
        except ApiError as error:
            if error.status_code in (400, 413):
                if len(bulk) > 1:
                    half = len(bulk) // 2
                    return await self._bulk(bulk[:half]) + await self._bulk(bulk[half:])
                return [Receipt("never", f"{error.status_code} {error.message}"[:400])]
            await self._refused(error)
            raise Busy(self._told(error), _retry_after(error)) from None
        except TransportError as error:
            await self._reconnect()
            raise Busy(error.message[:300]) from None  # its str() is only its type
        if len(items) != len(bulk):
            raise Busy(f"the answer has {len(items)} items for {len(bulk)} actions")
        return [classify(item, self._name) for item in items]

    async def _refused(self, error: ApiError) -> None:
        if error.status_code in (401, 403, 407):
            await self._reconnect()

    async def _reconnect(self) -> None:
        """Reads rotated credentials and certificates again from their files."""
        new = self._settings.renewed()
        if new is not None:
            old, self._client = self._client, client(new)
            await old.close()

    def _told(self, error: ApiError) -> str:
        if error.status_code in (401, 403):
            return (
                f"Elasticsearch refuses us ({error.status_code}): correct {self._name}.username, password or api_key"
                f" (its roles: driftline permissions {self._name})"
            )
        return f"{error.status_code} {error.message}"[:300]

    async def close(self) -> None:
        if self._missing:
            await self._missing.close()
        await self._client.close()


def _retry_after(error: ApiError) -> float | None:
    """Seconds to wait, as requested by the response."""
    return seconds_of(error.meta.headers.get("retry-after"), time.time())


def classify(item: dict[str, Any], sink: str) -> Receipt:
    """Classifies one item of a bulk response, which may fail despite HTTP 200. Pure."""
    (operation, result), *_ = item.items()
    status, error = int(result["status"]), result.get("error") or {}
    if (
        200 <= status < 300
        or status == 409
        or (operation == "delete" and status == 404 and not error)
    ):
        return DONE  # 409: a newer version, or this very document, already exists
    reason = f"{status} {error.get('type', '')}: {error.get('reason', '')}"[:400]
    if "index_not_found" in str(error.get("type")):
        reason += f" (run: driftline sink {sink} --install)"
    return Receipt("again" if status in AGAIN or status >= 500 else "never", reason)


def bulks(actions: Sequence[Action]) -> Iterator[list[Line]]:
    """Splits actions into requests below 8 MB, in order; a larger action is sent alone."""
    bulk: list[Line] = []
    size, last, text = 0, None, b""
    for action in actions:
        if action.body is not last:  # view and history share a body
            last, text = action.body, orjson.dumps(action.body)
        line = [_head(action)] if action.body is None else [_head(action), text]
        more = sum(map(len, line))
        if bulk and size + more > MOST_BYTES:
            yield bulk
            bulk, size = [], 0
        bulk.append(line)
        size += more
    if bulk:
        yield bulk


def _head(action: Action) -> bytes:
    meta: dict[str, Any] = {"_index": action.target, "_id": action.id}
    if action.op != "append":
        meta |= {"version": action.version, "version_type": "external"}
        if action.op == "upsert" and action.target == render.ALIAS:
            meta["require_alias"] = True
    return orjson.dumps({OPERATIONS[action.op]: meta})
