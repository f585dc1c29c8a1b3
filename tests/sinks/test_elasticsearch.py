"""The Elasticsearch sink's own parts: what an answer means, how bulks are cut, what is refused as a whole."""

import asyncio
from typing import Any

import orjson
import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError, ConnectionTimeout

from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.base import Action, Busy, Op
from driftline.sinks.elasticsearch import sink as es
from driftline.sinks.elasticsearch.render import ALIAS
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.templates import fingerprint, templates

ERROR = {"type": "some_exception", "reason": "because"}


@pytest.mark.parametrize(
    ("operation", "status", "error", "kind"),
    [
        ("index", 200, None, "done"),
        ("create", 201, None, "done"),
        ("delete", 200, None, "done"),
        ("delete", 404, None, "done"),
        ("index", 409, ERROR, "done"),
        ("create", 409, ERROR, "done"),
        ("delete", 409, ERROR, "done"),
        ("delete", 404, {"type": "index_not_found_exception", "reason": "no such index"}, "again"),
        ("index", 404, {"type": "index_not_found_exception", "reason": "no such index"}, "again"),
        ("index", 429, ERROR, "again"),
        ("index", 403, {"type": "cluster_block_exception", "reason": "read-only"}, "again"),
        ("create", 403, {"type": "security_exception", "reason": "unauthorized"}, "again"),
        ("index", 500, ERROR, "again"),
        ("index", 503, ERROR, "again"),
        ("index", 400, ERROR, "never"),
        ("create", 413, ERROR, "never"),
    ],
)
def test_each_item_is_judged_for_itself(operation: str, status: int, error: Any, kind: str) -> None:
    result = {"status": status} | ({"error": error} if error else {})
    receipt = es.classify({operation: result}, "soc")
    assert receipt.kind == kind
    assert (receipt.reason == "") == (kind == "done")
    if error and kind != "done":
        assert error["reason"] in receipt.reason
        assert ("driftline sink soc --install" in receipt.reason) == (
            "index_not_found" in error["type"]
        )


def action(number: int, size: int = 10, op: Op = "upsert") -> Action:
    body = None if op == "delete" else {"n": number, "x": "y" * size}
    return Action(op, ALIAS if op != "append" else "logs-x", f"id{number}", number, body)


def test_bulks_keep_the_order_and_stay_below_their_size() -> None:
    actions = [action(n, es.MOST_BYTES * 3 // 8) for n in range(5)] + [
        action(5, es.MOST_BYTES + 9),
        action(6),
    ]
    cut = list(es.bulks(actions))
    assert [len(bulk) for bulk in cut] == [2, 2, 1, 1, 1]
    bodies = [orjson.loads(line[1])["n"] for bulk in cut for line in bulk]
    assert bodies == list(range(7))
    assert all(sum(map(len, (text for line in bulk for text in line))) <= es.MOST_BYTES
               for bulk in cut if len(bulk) > 1)  # fmt: skip
    assert list(es.bulks([])) == []


def test_heads_say_version_and_that_the_view_is_an_alias() -> None:
    bulk = next(iter(es.bulks([action(7), action(8, op="delete"), action(9, op="append")])))
    heads = [orjson.loads(line[0]) for line in bulk]
    version = {"version": 7, "version_type": "external"}
    assert heads == [
        {"index": {"_index": ALIAS, "_id": "id7", "require_alias": True} | version},
        {"delete": {"_index": ALIAS, "_id": "id8", "version": 8, "version_type": "external"}},
        {"create": {"_index": "logs-x", "_id": "id9"}},
    ]
    assert [len(line) for line in bulk] == [2, 1, 2]


def test_a_body_that_two_actions_share_is_written_for_both() -> None:
    body = {"same": 1}
    actions = [Action("upsert", ALIAS, "a", 1, body), Action("delete", ALIAS, "b", 1, None),
               Action("append", "h", "a:1", 1, body), Action("append", "h", "c:1", 1, {"other": 2})]  # fmt: skip
    [bulk] = es.bulks(actions)
    assert [line[1:] for line in bulk] == [[b'{"same":1}'], [], [b'{"same":1}'], [b'{"other":2}']]


class Node:
    """Answers bulks as told, in the client's place; remembers the ids of each."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.bulks = answer, []  # type: ignore[var-annotated]

    async def bulk(self, *, operations: list[bytes], filter_path: list[str]) -> Any:
        heads = [orjson.loads(text) for text in operations]
        ids = [next(iter(h.values()))["_id"] for h in heads if len(h) == 1 and isinstance(next(iter(h.values())), dict)]  # fmt: skip
        self.bulks.append(ids)
        assert "items.*.status" in filter_path
        return self.answer(ids)


def api_error(status: int) -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "h", 1))
    return ApiError("whole", meta, {"error": "whole"})


def send(answer: Any, actions: list[Action]) -> tuple[list[str], Node]:
    node = Node(answer)
    sink = es.ElasticsearchSink(ElasticsearchSettings(), node)  # type: ignore[arg-type]
    return [r.kind for r in asyncio.run(sink.send(actions))], node


def done(ids: list[str]) -> Any:
    return {"items": [{"index": {"status": 200}} for _ in ids]}


@pytest.mark.parametrize("status", [400, 413])
def test_one_that_spoils_a_whole_bulk_is_found_and_the_others_arrive(status: int) -> None:
    def answer(ids: list[str]) -> Any:
        if "id5" in ids:
            raise api_error(status)
        return done(ids)

    kinds, node = send(answer, [action(n) for n in range(8)])
    assert kinds == ["done"] * 5 + ["never"] + ["done"] * 2
    assert len(node.bulks) == 7


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 405, 408, 429, 500, 502, 503, 504])
def test_what_a_destination_refuses_as_a_whole_buries_nothing(status: int) -> None:
    def answer(ids: list[str]) -> Any:
        raise api_error(status)

    with pytest.raises(Busy, match=str(status)):
        send(answer, [action(1), action(2)])


@pytest.mark.parametrize("answer", [{}, {"items": []}, {"items": [{"index": {"status": 200}}]}])
def test_an_answer_that_is_none_is_no_receipt(answer: Any) -> None:
    with pytest.raises(Busy, match="items"):
        send(lambda ids: answer, [action(1), action(2)])


def test_silence_in_the_middle_leaves_the_receipts_that_are_there() -> None:
    def answer(ids: list[str]) -> Any:
        if "id2" in ids:
            raise ConnectionTimeout("late")
        return done(ids)

    kinds, _ = send(answer, [action(n, es.MOST_BYTES * 5 // 8) for n in range(4)])
    assert kinds == ["done", "done", "again", "again"]
    with pytest.raises(Busy, match="late"):
        send(answer, [action(2)])


def test_templates_are_versioned_and_only_an_installation_makes_the_view() -> None:
    made = templates()
    versions = [template["_meta"]["driftline"] for template in made.values()]
    assert len(set(versions)) == 4
    latest = made["driftline-latest"]
    assert latest["allow_auto_create"] is False
    assert ALIAS in latest["index_patterns"]
    assert latest["template"]["settings"]["index"]["gc_deletes"] == "24h"
    for name in ("driftline-latest", "driftline-history"):
        assert made[name]["template"]["mappings"]["_meta"]["driftline"] == fingerprint()


def test_a_client_has_what_the_settings_say() -> None:
    settings = Settings.model_validate({"elasticsearch": {"url": "http://a:1, http://b:2", "username": "u", "password": "p"}})  # fmt: skip
    made = es.client(settings.elasticsearch)
    assert sorted(n.base_url for n in made.transport.node_pool.all()) == [
        "http://a:1",
        "http://b:2",
    ]
    asyncio.run(made.close())
