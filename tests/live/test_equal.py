"""The stream, a scan and a replay say the same of one tape, byte for byte."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from pipeline import tape
from pipeline.kafka import Delivery, flush, produce, producer, read_compacted
from pipeline.topics import FINDINGS, PARTITIONS
from tests.live.crash import Arena
from tests.live.tape import Tape

pytestmark = pytest.mark.live


def test_stream_scan_and_replay_are_equal(tmp_path: Path) -> None:
    script = Tape(250, 3)
    records = [record for record in script.records() if record.value != b"{not json"]
    path = tmp_path / "tape.ndjson"
    names = {"driftline.snapshots": "snapshots", "driftline.control": "control"}
    tape.write(path, [(names[r.topic], str(r.at_ms), orjson.loads(r.value)) for r in records])
    arena = Arena(tmp_path, script)
    try:
        arena.worker()
        out, delivery = producer(arena.kafka), Delivery()
        for record in records:
            numbers = range(PARTITIONS) if record.partition is None else [record.partition]
            if record.partition is None:  # all before it is read, then the tick, then all after it
                flush(out, delivery, 30)
                arena.drained()
            for number in numbers:
                produce(out, delivery, record.topic, record.value, partition=number)
            if record.partition is None:
                flush(out, delivery, 30)
                arena.drained()
        arena.finish()
        streamed = read_compacted(arena.kafka, FINDINGS.name)
        told = {}
        for command in (["replay"], ["scan", "folder"]):
            done = subprocess.run(
                [sys.executable, "-m", "pipeline", *command, str(path), "--format", "json"],
                env=arena.env, capture_output=True, check=False,
            )  # fmt: skip
            assert done.returncode == 1, done.stderr
            findings = orjson.loads(done.stdout)["findings"]
            told[command[0]] = {f["id"].encode(): orjson.dumps(f) for f in findings}
    finally:
        arena.close()
    standing = {key: value for key, value in streamed.items() if not orjson.loads(value)["retired"]}
    assert len(streamed) == 30
    assert told["replay"] == streamed
    assert told["scan"] == standing
