"""The records' contracts: schemas, ids, times, partitions."""

import random
import uuid
from datetime import datetime

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from driftline.pipeline.model import (
    RECORDS,
    Control,
    finding_id,
    from_micros,
    micros,
    rfc3339,
    to_micros,
)
from driftline.pipeline.records.topics import PARTITIONS, TOPICS, murmur2, partition
from driftline.pipeline.reference.generate import schemas
from tests.core.world import World, key


def test_schemas_are_valid_and_findings_hold_to_theirs() -> None:
    texts = dict(schemas())
    assert len(texts) == len(RECORDS)
    for text in texts.values():
        jsonschema.Draft202012Validator.check_schema(orjson.loads(text))
    world = World()
    world.snapshot(key(0, rotation=False))
    validator = jsonschema.Draft202012Validator(
        orjson.loads(texts["pipeline/schemas/finding.json"])
    )
    for finding in world.documents():
        validator.validate(finding)


def test_ids_are_what_they_always_were() -> None:
    namespace = uuid.uuid5(uuid.NAMESPACE_DNS, "driftline")
    assert finding_id("r", "u") == str(uuid.uuid5(namespace, "r\nu"))
    assert finding_id("aws-s3-x", "arn:aws:s3:::b") == "8a6611bc-b03c-5799-b297-41ad08dbbddc"


@given(st.integers(0, 7_258_118_400_000_000))
def test_times_go_there_and_back(value: int) -> None:
    text = from_micros(value)
    assert to_micros(text) == value
    time = datetime.fromisoformat(text)
    assert (micros(time), rfc3339(time)) == (value, text)


def test_other_texts_are_no_times() -> None:
    for text in ("", "now", "2026-01-01T00:00:00Z", "2026-13-01T00:00:00.000000Z", "x" * 26 + "Z"):
        assert to_micros(text) is None


def test_a_control_record_has_one_meaning() -> None:
    assert Control.model_validate({"later": {"x": 1}}).tick is None
    for bad in ({}, {"tick": {"source": "s", "watermark": "2026-01-01T00:00:00Z"}, "rulebook": {}}):
        with pytest.raises(ValidationError, match="exactly one"):
            Control.model_validate(bad)


def test_partitions_are_kafkas_own() -> None:
    # Values of Kafka's own Java tests of murmur2.
    for text, expected in [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
                           (b"a-little-bit-longer-string", -1486304829), (b"abc", 479470107)]:  # fmt: skip
        assert murmur2(text) == expected & 0x7FFFFFFF
    spread = {partition(f"arn:{random.random()}") for _ in range(2000)}
    assert spread == set(range(PARTITIONS))


def test_inputs_keep_every_offset() -> None:
    by_name = {topic.name: topic for topic in TOPICS}
    assert len(by_name) == len(TOPICS)
    for name in ("snapshots", "changes", "control"):
        topic = by_name[f"driftline.{name}"]
        assert (topic.cleanup, topic.partitions) == ("delete", PARTITIONS)
