"""The stream, a scan and a replay say the same of one tape, byte for byte."""

import subprocess
import sys
from itertools import groupby
from pathlib import Path

import orjson
import pytest

from driftline.pipeline.kafka.client import (
    Delivery,
    flush,
    produce,
    producer,
    read_all,
    read_compacted,
)
from driftline.pipeline.model import restated
from driftline.pipeline.records import tape
from driftline.pipeline.records.topics import CHANGES, FINDINGS, PARTITIONS, RESTATEMENTS
from tests.core.tape import Record, Tape
from tests.live.crash import Arena

pytestmark = pytest.mark.live


def test_stream_scan_and_replay_are_equal(tmp_path: Path) -> None:
    script = Tape(250, 3)
    records = at_once([record for record in script.records() if record.value != b"{not json"])
    path = tmp_path / "tape.ndjson"
    tape.write(path, [(r.topic.removeprefix("driftline."), str(r.at_ms), orjson.loads(r.value)) for r in records])  # fmt: skip
    arena = Arena(tmp_path, script)
    try:
        arena.worker()
        out, delivery = producer(arena.kafka), Delivery()
        for topic, together in groupby(records, key=lambda record: record.topic):
            for record in together:  # topics have no common order but by waiting
                numbers = range(PARTITIONS) if record.partition is None else [record.partition]
                for number in numbers:
                    produce(out, delivery, topic, record.value, partition=number)
            flush(out, delivery, 30)
            arena.drained()
        arena.finish()
        streamed = read_compacted(arena.kafka, FINDINGS.name)
        for message in read_all(arena.kafka, RESTATEMENTS.name):
            said, stands = orjson.loads(message.value()), orjson.loads(streamed[message.key()])
            if said["revision"] == stands["revision"]:
                streamed[message.key()] = orjson.dumps(restated(stands, said["last_seen"]))
        recorded = tmp_path / "recorded.ndjson.gz"
        ours(arena.env, "record", recorded, code=0)
        told = {
            name: {
                f["id"].encode(): orjson.dumps(f)
                for f in orjson.loads(ours(arena.env, *words, "--format", "json"))["findings"]
            }
            for name, words in [
                ("replay", ("replay", path)),
                ("recorded", ("replay", recorded)),
                ("scan", ("scan", "folder", path)),
            ]
        }
    finally:
        arena.close()
    standing = {key: value for key, value in streamed.items() if not orjson.loads(value)["retired"]}
    assert len(streamed) == 30
    assert told["replay"] == streamed
    assert told["recorded"] == streamed
    opened = {key for key, value in told["scan"].items() if b'"pending_for"' in value}
    assert opened == {key for key, value in standing.items() if b'"pending_for"' in value}
    for key in opened:  # a scan cannot wait, and says so
        assert orjson.loads(told["scan"].pop(key))["status"] == "open"
        assert orjson.loads(standing.pop(key))["status"] == "clear"
    assert told["scan"] == standing


def ours(env: dict[str, str], *words: object, code: int = 1) -> bytes:
    """What a command of ours says."""
    done = subprocess.run([sys.executable, "-m", "driftline.pipeline", *map(str, words)], env=env, capture_output=True, check=False)  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout


def at_once(records: list[Record]) -> list[Record]:
    """All changes in the middle of the tape: some are heard early and some late."""
    changes = [record for record in records if record.topic == CHANGES.name]
    others = [record for record in records if record.topic != CHANGES.name]
    middle = len(others) // 2
    assert changes
    return others[:middle] + changes + others[middle:]
