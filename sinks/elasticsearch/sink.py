"""The Elasticsearch sink, by elasticsearch-py's async client."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from pipeline.settings import Elasticsearch
from sinks.base import Action, Busy, Receipt
from sinks.elasticsearch import render

MOST_BYTES = 8_000_000
WHOLE_AGAIN = {408, 429, 502, 503, 504}


def client(settings: Elasticsearch) -> AsyncElasticsearch:
    """The client of the settings: TLS, basic or API key."""
    more: dict[str, Any] = {}
    if settings.api_key:
        more["api_key"] = settings.api_key.get_secret_value()
    elif settings.username and settings.password:
        more["basic_auth"] = (settings.username, settings.password.get_secret_value())
    if settings.ca_file:
        more["ca_certs"] = str(settings.ca_file)
    hosts = [url.strip() for url in settings.url.split(",")]
    return AsyncElasticsearch(
        hosts, request_timeout=30, max_retries=0, retry_on_timeout=False, **more
    )


class ElasticsearchSink:
    """Upserts the latest view with external versions, and appends to the history."""

    name = "elasticsearch"

    def __init__(
        self, settings: Elasticsearch, connection: AsyncElasticsearch | None = None
    ) -> None:
        self._namespace = settings.namespace
        self._client = connection or client(settings)

    def render(self, finding: dict[str, Any], now: int) -> list[Action]:
        return render.actions(finding, now, self._namespace)

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        """In bulks of up to 8 MB; a bulk that fails as a whole is to be tried again."""
        receipts: list[Receipt] = []
        for lines, count in _bulks(actions):
            receipts += await self._bulk(lines, count)
        return receipts

    async def _bulk(self, operations: list[Any], count: int) -> list[Receipt]:
        try:
            answer = await self._client.bulk(operations=operations)
        except ApiError as error:
            if error.status_code in WHOLE_AGAIN:
                return [Receipt("again", f"{error.status_code}")] * count
            if error.status_code in (401, 403):
                raise Busy(
                    f"Elasticsearch refuses us ({error.status_code}): correct elasticsearch.username, password or api_key"
                ) from None
            if error.status_code == 413 and count > 1:
                return [Receipt("again", "413")] * count
            return [Receipt("never", f"{error.status_code} {error.message}"[:400])] * count
        except TransportError as error:
            raise Busy(str(error)[:300]) from None
        return [classify(item) for item in answer["items"]]

    async def close(self) -> None:
        await self._client.close()


def classify(item: dict[str, Any]) -> Receipt:
    """One item of a bulk's answer, judged for itself: HTTP 200 says nothing about it. Pure."""
    (operation, result), *_ = item.items()
    status, error = int(result["status"]), result.get("error") or {}
    if 200 <= status < 300 or status == 409 or (operation == "delete" and status == 404):
        return Receipt("done")  # 409: a newer version, or this very document, is there already
    reason = f"{status} {error.get('type', '')}: {error.get('reason', '')}"[:400]
    if status == 429 or status >= 500:
        return Receipt("again", reason)
    if status == 404 and "index_not_found" in str(error.get("type")):
        return Receipt("again", reason + " (run: driftline sink elasticsearch --install)")
    return Receipt("never", reason)


def _bulks(actions: Sequence[Action]) -> Iterable[tuple[list[bytes], int]]:
    lines: list[bytes] = []
    size = count = 0
    for action in actions:
        new = _lines(action)
        more = sum(map(len, new))
        if count and size + more > MOST_BYTES:
            yield lines, count
            lines, size, count = [], 0, 0
        lines += new
        size, count = size + more, count + 1
    if count:
        yield lines, count


def _lines(action: Action) -> list[bytes]:
    meta: dict[str, Any] = {"_index": action.target, "_id": action.id}
    if action.name != "create":
        meta |= {"version": action.version, "version_type": "external", "require_alias": True}
        if action.name == "delete":
            del meta["require_alias"]
    head = json.dumps({action.name: meta}).encode()
    return [head] if action.body is None else [head, json.dumps(action.body).encode()]
