"""A drift as Elasticsearch keeps it: what changed, by whom, and every field mapped."""

from typing import Any

import orjson
import pytest

from driftline.pipeline.model import to_micros
from driftline.sinks.elasticsearch import drift
from driftline.sinks.elasticsearch.templates import templates
from tests.core.world import World, change, gone, key

NOW = 1_900_000_000_000_000


def told() -> list[dict[str, Any]]:
    """A change by somebody, one by nobody, a deletion."""
    world = World()
    world.snapshot(key(0))
    world.change(change(1, "ann"))
    world.snapshot(key(2, rotation=False))
    world.snapshot(key(30, rotation=False, enabled=False))
    world.change(change(40, "bob", kind="delete"))
    world.snapshot(gone(40.1))
    return [orjson.loads(value) for value in world.drifts.values()]


DRIFTS = told()


def test_in_words() -> None:
    messages = [drift.document(one, NOW, "default")["message"] for one in DRIFTS]
    assert messages == ["1: changed at /rotation/KeyRotationEnabled by ann", "1: changed at /key/Enabled (unattributed)", "1: deleted by bob"]  # fmt: skip


def test_every_word_is_a_document_of_its_own() -> None:
    (action,) = drift.actions(DRIFTS[0], NOW, "ns")
    assert (action.op, action.target) == ("append", "logs-driftline.drift-ns")
    assert action.id == f"{DRIFTS[0]['id']}:{DRIFTS[0]['revision']}"


def test_who_is_among_the_related() -> None:
    document = drift.document(DRIFTS[0], NOW, "default")
    assert document["driftline"]["drift"]["actor"]["id"] == "ann"
    assert document["related"]["user"] == ["ann"]
    assert "user" not in drift.document(DRIFTS[1], NOW, "default")


def test_a_future_time_is_now() -> None:
    early = (to_micros(DRIFTS[0]["at"]) or 0) - 1
    assert to_micros(drift.document(DRIFTS[0], early, "default")["@timestamp"]) == early


def unmapped(value: Any, mapped: dict[str, Any], path: str) -> list[str]:
    """The places of a document that a mapping does not know."""
    if mapped.get("enabled") is False or "properties" not in mapped:
        return []
    items = value if isinstance(value, list) else [value]
    return [
        found
        for item in items
        for name, inner in item.items()
        for found in (
            unmapped(inner, mapped["properties"][name], f"{path}.{name}")
            if name in mapped["properties"]
            else [f"{path}.{name}"]
        )
    ]


@pytest.mark.parametrize("one", DRIFTS)
def test_every_field_is_mapped(one: dict[str, Any]) -> None:
    mapping = templates()["driftline-drift"]["template"]["mappings"]
    assert unmapped(drift.document(one, NOW, "default"), mapping, "") == []
