"""Reads findings and alerts from Elasticsearch, in the form of the topics, as far as documents contain it.

Lists come worst (findings) or newest (alerts) first."""

from collections.abc import Iterator
from typing import Any

from elasticsearch import AsyncElasticsearch, NotFoundError

from driftline.pipeline.report.query import WantedAlerts, WantedFindings
from driftline.sinks.elasticsearch import alert_documents
from driftline.sinks.elasticsearch.render import ALIAS, REMEDIATION
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.sink import client
from driftline.sinks.module import Found

PAGE = 1000
Query = dict[str, Any]


async def findings(settings: ElasticsearchSettings, wanted: WantedFindings, limit: int) -> Found:
    """The first matching documents. Raises the client's errors."""
    order = [{"event.severity": "desc"}, {"event.risk_score": "desc"}, {"event.id": "asc"}]
    found = await _pages(settings, ALIAS, finding_query(wanted), order, limit)
    return Found([finding(one) for one in found.documents], found.total)


async def alerts(settings: ElasticsearchSettings, wanted: WantedAlerts, limit: int) -> Found:
    """The first matching documents. Raises the client's errors."""
    index = alert_documents.index(settings.namespace)
    order = [{"event.end": "desc"}, {"event.id": "asc"}]
    found = await _pages(settings, index, alert_query(wanted), order, limit)
    return Found([alert(one) for one in found.documents], found.total)


async def finding_named(settings: ElasticsearchSettings, id: str) -> list[dict[str, Any]]:
    """A few documents whose id begins with a prefix. Raises the client's errors."""
    query = {"prefix": {"event.id": {"value": id}}}
    found = await _pages(settings, ALIAS, query, [{"event.id": "asc"}], 10)
    return [finding(one) for one in found.documents]


async def alert_named(settings: ElasticsearchSettings, id: str) -> list[dict[str, Any]]:
    """A few documents whose id begins with a prefix. Raises the client's errors."""
    index = alert_documents.index(settings.namespace)
    query = {"prefix": {"event.id": {"value": id}}}
    found = await _pages(settings, index, query, [{"event.id": "asc"}], 10)
    return [alert(one) for one in found.documents]


async def _pages(
    settings: ElasticsearchSettings, index: str, query: Query, order: list[Query], limit: int
) -> Found:
    out: list[dict[str, Any]] = []
    total, after = 0, None
    async with client(settings) as es:
        while len(out) < limit:
            size = min(PAGE, limit - len(out))
            hits = await _page(es, index, query, order, size, after)
            total = hits["total"]["value"]
            out += [hit["_source"] for hit in hits["hits"]]
            if len(hits["hits"]) < size:
                break
            after = hits["hits"][-1]["sort"]
    return Found(out, total)


async def _page(
    es: AsyncElasticsearch, index: str, query: Query, order: list[Query], size: int, after: Any
) -> dict[str, Any]:
    more = {} if after is None else {"search_after": after}
    try:
        answer = await es.search(
            index=index, query=query, sort=order, size=size, track_total_hits=True, **more
        )
    except NotFoundError:  # ignore_unavailable would also hide an index without read permission
        if index == ALIAS:  # created by --install
            raise
        return {"total": {"value": 0}, "hits": []}  # created with its first document
    hits: dict[str, Any] = answer["hits"]
    return hits


def finding_query(wanted: WantedFindings) -> Query:
    """The query equivalent to `wanted.takes`."""
    clauses: list[Query] = [
        *_terms("driftline.status", wanted.statuses),
        *_terms("driftline.severity", wanted.severities),
        *_terms("cloud.region", wanted.regions),
        *_terms("resource.type", wanted.types),
        *_terms("rule.id", wanted.rules),
        *_terms("driftline.owner", wanted.owners),
        *_any(*_terms("cloud.account.id", wanted.accounts), *_terms("cloud.account.name", wanted.accounts)),
        *_any(*_holds("resource.id", wanted.resource), *_holds("resource.name", wanted.resource)),
    ]  # fmt: skip
    return {"bool": {"filter": clauses}}


def alert_query(wanted: WantedAlerts) -> Query:
    """The query equivalent to `wanted.takes`."""
    since = [{"range": {"event.end": {"gte": wanted.since}}}] if wanted.since else []
    about = [*_holds("driftline.alert.resources", wanted.about), *_holds("driftline.alert.actors", wanted.about)]  # fmt: skip
    clauses: list[Query] = [
        *_terms("driftline.alert.state", wanted.states),
        *_terms("driftline.alert.severity", wanted.severities),
        *_terms("rule.id", wanted.rules),
        *since,
        *_any(*about),
    ]
    return {"bool": {"filter": clauses}}


def _terms(field: str, values: Any) -> Iterator[Query]:
    if values:
        yield {"terms": {field: list(values)}}


def _holds(field: str, text: str) -> Iterator[Query]:
    if text:
        plain = text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
        yield {"wildcard": {field: {"value": f"*{plain}*", "case_insensitive": True}}}


def _any(*clauses: Query) -> Iterator[Query]:
    if clauses:
        yield {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def finding(document: dict[str, Any]) -> dict[str, Any]:
    """Converts a document to a finding. Evidence is text; fields that documents do not contain are missing."""
    rule, resource, cloud, own = (document[name] for name in ("rule", "resource", "cloud", "driftline"))  # fmt: skip
    account = {"kind": "account", "id": cloud["account"]["id"]} | own.get("account", {})
    if cloud["account"].get("name"):
        account["name"] = cloud["account"]["name"]
    owner = _owner(own)
    found = {
        "id": document["event"]["id"],
        "rule": {
            "id": rule["id"], "uuid": rule["uuid"], "version": int(rule["version"]), "title": rule["name"],
            "severity": own["severity"], "section": rule["section"], "family": rule.get("family"),
            "why": rule.get("rationale", ""), "references": [one for one in rule.get("reference", "").split("\n") if one],
            "frameworks": own.get("frameworks", {}),
        },
        "resource": {
            "uid": resource["id"], "type": resource["type"], "provider": cloud["provider"],
            "organization": document.get("organization", {}).get("id"), "account": cloud["account"]["id"],
            "cloud_account": account, "region": cloud["region"], "class": own.get("class"), "name": resource["name"],
            "tags": dict(tag.split("=", 1) for tag in resource.get("tags", ())),
        },
        "evaluation": document["result"]["evaluation"], "sentence": document["message"], "owner": owner,
        "evidence": [{"path": path, "value": value} for path, value in document["result"]["evidence"].items()],
        "remediation": _remediation(rule.get("remediation", "")),
        **{name: own[name] for name in (
            "status", "reason", "cause", "risk", "revision", "reopened", "retired", "restated", "first_seen", "last_seen",
            "opened_at", "resolved_at", "evaluated_at", "updated_at", "pending_for", "due_at", "truncated", "actor", "drift",
            "attribution", "exception", "declared",
        ) if own.get(name) is not None},
    }  # fmt: skip
    return _without_empty(found) | {"links": []}


def _owner(own: dict[str, Any]) -> dict[str, str] | None:
    found_by = own.get("owner_found_by")
    return {"id": own.get("owner", ""), "found_by": found_by} if found_by else None


def _without_empty(found: dict[str, Any]) -> dict[str, Any]:
    for part in (found, found["rule"], found["resource"]):
        for name in [name for name, value in part.items() if value is None]:
            del part[name]
    return found


def _remediation(text: str) -> dict[str, str]:
    """Splits the remediation text that `render` joined."""
    out: dict[str, str] = {}
    for way, title in reversed(REMEDIATION):
        if text.startswith(f"{title}:\n"):
            text, out[way] = "", text.removeprefix(f"{title}:\n")
        elif f"\n\n{title}:\n" in text:
            text, out[way] = text.split(f"\n\n{title}:\n", 1)
    return out


def alert(document: dict[str, Any]) -> dict[str, Any]:
    """Converts a document to an alert."""
    rule, event, threat = document["rule"], document["event"], document["threat"]
    own = dict(document["driftline"]["alert"])
    techniques = [f"attack.{id.lower()}" for id in threat["technique"]["id"]]
    owner = _owner(document["driftline"])
    return own | ({"owner": owner} if owner else {}) | {
        "id": event["id"], "rule": rule["id"], "title": rule["name"], "description": rule["description"], "sentence": document["message"],
        "begins": event["start"], "at": event["created"], "last": event["end"],
        "tags": [*(f"attack.{name}" for name in threat["tactic"]["name"]), *techniques],
    }  # fmt: skip
