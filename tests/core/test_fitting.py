"""What is too large for a record is cut until it fits, says so, and is still what its model says."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.assess import outputs
from driftline.pipeline.model import Finding
from driftline.pipeline.records.truncate import MOST, truncate
from tests.core.world import World, key
from tests.sinks.findings import findings

any_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(any_value)
def test_what_fits_is_as_it_was(inner: Any) -> None:
    finding = findings()["failed"] | {"evidence": [{"path": "config.x", "value": inner}]}
    assert truncate(finding) == orjson.dumps(finding)


@settings(max_examples=25, deadline=None)
@given(any_value, st.sampled_from([1, 40_000, 3_000_000]), st.sampled_from([2, 5000, 60_000]))
def test_what_does_not_is_cut_and_marked(inner: Any, long: int, many: int) -> None:
    finding = findings()["failed"] | {
        "sentence": "x" * long,
        "cause": "\0" * long,
        "evidence": [{"path": f"config.{n}", "value": [inner, "y" * 100]} for n in range(many)],
    }
    said = truncate(finding)
    assert len(said) <= MOST
    told = Finding.model_validate_json(said)
    assert told.id == finding["id"]
    assert bool(told.truncated) == (len(orjson.dumps(finding)) > MOST)
    assert told.resource.uid == finding["resource"]["uid"]


def test_ids_are_never_cut() -> None:
    uid = "arn:" + "u" * 2044
    finding = findings()["failed"]
    finding["resource"] |= {"uid": uid, "tags": {"a": "t" * 5_000_000}}
    assert orjson.loads(truncate(finding))["resource"]["uid"] == uid


def test_the_stream_says_it_rather_than_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "truncate", lambda document: truncate(document, 500))
    world = World()
    for minute, rotation in ((0, True), (60, False)):
        world.snapshot(key(minute, rotation=rotation))
    assert world.finding().truncated
    assert world.drift().truncated
    assert not world.dead
