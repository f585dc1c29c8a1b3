"""What Elasticsearch shows: latest documents, history, counts. Uses its HTTP API, not Driftline's sink."""

import contextlib
import json
import urllib.error
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from driftline.pipeline.demo.truth import Shown
from driftline.sinks.elasticsearch import alert_documents, render

ALIAS, HISTORY, ALERTS = (
    render.ALIAS,
    render.history_stream("default"),
    alert_documents.index("default"),
)
FIELDS = ["rule.id", "resource.id", "resource.type", "cloud.account.id", "driftline", "result.evaluation",
          "event.id", "event.ingested", "resource.name"]  # fmt: skip
TRANSITIONS = ["opened", "fixed", "reopened", "resource_deleted", "unread"]
MOST = 10_000


class View:
    """A node, queried without a client library. If it does not answer, results are empty."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The response, including that of a 404, which is {"found": false}."""
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.url}/{path}", headers={"Content-Type": "application/json"},
            data=json.dumps(body).encode() if body is not None else None,
        )  # fmt: skip
        with contextlib.suppress(OSError, ValueError):
            try:
                answer = urllib.request.urlopen(request, timeout=3)  # noqa: S310
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                said: dict[str, Any] = json.load(answer)
                return said
        return {}

    def refresh(self, target: str) -> None:
        """Refreshes, so that later searches find everything written before."""
        request = urllib.request.Request(f"{self.url}/{target}/_refresh", method="POST")  # noqa: S310 - our own
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    def finding(self, id: str) -> dict[str, Any] | None:
        """The latest document by realtime GET; None if there is none (or no answer)."""
        found: dict[str, Any] | None = self.ask(f"{ALIAS}/_doc/{id}").get("_source")
        return found

    def gone(self, id: str) -> bool:
        """Whether Elasticsearch answers and has no such document."""
        return self.ask(f"{ALIAS}/_doc/{id}").get("found") is False

    def documents(self) -> list[Shown]:
        """The complete latest view."""
        self.refresh(ALIAS)
        answer = self.ask(f"{ALIAS}/_search", {"size": MOST, "_source": FIELDS})
        return [Shown.of(hit) for hit in answer.get("hits", {}).get("hits", [])]

    def history(self, *reasons: str, newest: int = MOST) -> list[dict[str, Any]]:
        """The history, newest first; only with these reasons, if any are given."""
        if newest == MOST:  # otherwise it is only for display
            self.refresh(HISTORY)
        query = {"terms": {"driftline.reason": list(reasons)}} if reasons else {"match_all": {}}
        body = {"size": newest, "sort": [{"event.ingested": "desc"}], "query": query, "_source": FIELDS}  # fmt: skip
        answer = self.ask(f"{HISTORY}/_search", body)
        return [hit["_source"] for hit in answer.get("hits", {}).get("hits", [])]

    def alerts(self, title: str) -> list[dict[str, Any]]:
        """A detection's valid alerts, without those merged into others."""
        self.refresh(ALERTS)
        answer = self.ask(f"{ALERTS}/_search", {"query": {"bool": {
            "filter": {"term": {"rule.name": title}}, "must_not": {"term": {"event.action": "merged"}}}}})  # fmt: skip
        return [
            hit["_source"]["driftline"]["alert"] for hit in answer.get("hits", {}).get("hits", [])
        ]

    def open_by_severity(self) -> dict[str, int]:
        """Open findings."""
        answer = self.ask(f"{ALIAS}/_search", {
            "size": 0, "query": {"term": {"driftline.status": "open"}},
            "aggs": {"s": {"terms": {"field": "driftline.severity"}}}})  # fmt: skip
        buckets = answer.get("aggregations", {}).get("s", {}).get("buckets", [])
        return {bucket["key"]: bucket["doc_count"] for bucket in buckets}


def processed(port: int) -> float | None:
    """Snapshots that a worker has processed, from its /metrics; None if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "driftline_worker_elements_total"
    )
