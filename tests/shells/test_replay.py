"""`driftline replay`: a tape's last findings, with its ticks; a bad line is told with its number."""

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.wording.consoles import rows
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.model import Finding, finding_id
from driftline.pipeline.offline.content import grants
from driftline.pipeline.records import codec, tape
from tests.core.world import UID, World, denied, gone, key, tick, value, write_rules
from tests.shells.command import Command, Said
from tests.shells.test_backtest import logs

HEADER = b'{"driftline":"tape","version":1}'
ENDS = {"LF": b"\n", "CRLF": b"\r\n", "empty lines": b"\n\n \n"}


def line(topic: str, record: bytes) -> bytes:
    return orjson.dumps({"topic": topic, "at": "", "value": orjson.loads(record)})


STORY = [
    ("snapshots", value(key(0, rotation=False, enabled=False), key(0, uid=UID + "b", rotation=False))),
    ("control", tick(5)),
    ("snapshots", value(key(6, rotation=True, enabled=False), denied(6, uid=UID + "b"))),
    ("control", tick(20)),
    ("snapshots", value(gone(21, uid=UID + "b"))),
    ("control", tick(60 * 13)),
]  # fmt: skip
"""A rotation mended, a wait that runs out, a denial, a deletion, a restatement."""


def told() -> dict[str, bytes]:
    world = World(
        AssessOptions(grants=grants(), consoles=rows())
    )  # what types say, as every shell has it
    for topic, record in STORY:
        world.feed(f"driftline.{topic}", record)
    return {f["id"]: orjson.dumps(f) for f in world.documents()}


def own_rules(folder: Path) -> None:
    """The three rules of the core's tests, and no other."""
    (folder / "rules").mkdir(exist_ok=True)
    write_rules(folder / "rules")
    (folder / "driftline.yaml").write_text("rules: {builtin: false, paths: [rules]}\n")


def replay(driftline: Command, path: Path, *more: str) -> tuple[Said, dict[str, bytes]]:
    own_rules(path.parent)
    said = driftline("replay", path, "--format", "json", *more)
    findings = json.loads(said.out)["findings"]
    for finding in findings:
        Finding.model_validate(finding)
    return said, {f["id"]: orjson.dumps(f) for f in findings}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_the_last_findings(driftline: Command, tmp_path: Path, end: bytes, packed: bool) -> None:
    data = end.join([HEADER, *(line(*record) for record in STORY), b""])
    path = tmp_path / "t.ndjson"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    said, findings = replay(driftline, path)
    assert findings == told()
    assert said.code == 1
    by_id = {id: orjson.loads(finding) for id, finding in findings.items()}
    patient = by_id[finding_id("t-patient", UID)]
    assert (patient["status"], patient["opened_at"][14:16]) == ("open", "10")
    assert by_id[finding_id("t-rotation", UID)]["status"] == "resolved"
    assert by_id[finding_id("t-rotation", UID + "b")]["reason"] == "resource_deleted"


def test_what_tape_write_writes_is_read(driftline: Command, tmp_path: Path) -> None:
    for name in ("t.ndjson", "t.ndjson.gz"):
        path = tmp_path / name
        count = tape.write(path, [(topic, "", orjson.loads(record)) for topic, record in STORY])
        assert count == len(STORY)
        assert path.stat().st_mode & 0o777 == 0o600
        assert replay(driftline, path)[1] == told()


BAD = {
    "no JSON": b"{", "a number": b"5", "null": b"null", "another topic": b'{"topic":"findings","value":[]}', "no value": b'{"topic":"snapshots"}',
    "a topic that is a list": b'{"topic":["snapshots"],"value":[]}', "nested": b'{"topic":"snapshots","value":' + b"[" * 70 + b"]" * 70 + b"}",
    "nested deeply": b"[" * 50_000, "a lone surrogate": rb'{"topic":"snapshots","value":["\ud800"]}', "a huge integer": b'{"topic":"control","value":%d}' % 10**40,
    "not text": b"\xff\xfe", "NaN": b'{"topic":"snapshots","value":[NaN]}', "too long": b"x" * (codec.MAX_BYTES * 3),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_line_is_told_and_passed_over(driftline: Command, tmp_path: Path, bad: bytes) -> None:
    lines = [HEADER, *(line(*record) for record in STORY)]
    path = tmp_path / "t.ndjson"
    path.write_bytes(b"\n".join([*lines[:3], bad, *lines[3:]]))
    said, findings = replay(driftline, path)
    assert findings == told()
    assert "t.ndjson:4: " in said.err
    assert len(said.err) < 600
    assert said.code == 1


def test_what_is_bad_within_a_record_is_a_dead_letter(driftline: Command, tmp_path: Path) -> None:
    element = orjson.loads(value(key(0)))[0]
    path = tmp_path / "t.ndjson"
    tape.write(
        path,
        [
            ("snapshots", "", [element | {"uid": ""}, element]),
            ("control", "", {"tick": {"source": "sweep", "watermark": "\x1b[31m"}}),
        ],
    )
    said, findings = replay(driftline, path)
    assert len(findings) == 3
    assert said.code == 3
    assert [letter["place"] for letter in json.loads(said.out)["dead"]] == [0, -1]
    assert said.err.count("not processed: ") == 2
    assert "\x1b" not in said.err


@pytest.mark.parametrize(("data", "told"), [
    (b"", "not a tape"), (b"hello\n", "not a tape"), (b"[]\n", "not a tape"), (HEADER.replace(b":1", b":2"), "version 2"),
    (b'{"driftline":"tape"}', "version None"), (gzip.compress(HEADER + b"\n" + line(*STORY[0]))[:-12], "whole file"),
    (b"\x1f\x8b" + b"\xff" * 50, "not a tape"), (gzip.compress(HEADER + b"\n", mtime=0)[:15] + b"\xff" * 80, "whole file"),
])  # fmt: skip
def test_what_is_no_tape_is_told(
    driftline: Command, tmp_path: Path, data: bytes, told: str
) -> None:
    (tmp_path / "t").write_bytes(data)
    said = driftline("replay", "t")
    assert said.code == 2
    assert told in said.err or "cannot be read" in said.err
    assert driftline("replay", "nowhere").code == driftline("replay").code == 2


def test_table_csv_and_codes(driftline: Command, tmp_path: Path) -> None:
    path = tmp_path / "t.ndjson"
    tape.write(path, [(topic, "", orjson.loads(record)) for topic, record in STORY[:1]])
    own_rules(tmp_path)
    only = ("replay", path)
    assert "t-rotation" in driftline(*only).out
    assert "t-rotation" in driftline(*only, "--format", "csv").out
    assert driftline(*only, "--fail-on", "high").code == 1
    assert driftline(*only, "--fail-on", "critical").code == 0
    tape.write(path, [("snapshots", "", orjson.loads(value(key(0, rotation=None))))])
    assert driftline(*only).code == 3


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), head=st.booleans())
def test_no_bytes_raise_anything_else(tmp_path_factory: Any, data: bytes, head: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "any.ndjson"
    path.write_bytes((HEADER + b"\n") * head + data)
    problems: list[str] = []
    try:
        read = list(tape.read(path, problems.append))
    except UserError:
        return
    assert tape.is_tape(path)
    lines = [text for text in data.split(b"\n") if text.strip()]
    assert len(read) + len(problems) == len(lines)


def test_a_tape_that_says_when_the_broker_took_it_refuses_what_is_ahead(tmp_path: Path, driftline: Command) -> None:  # fmt: skip
    path = tmp_path / "t.ndjson"
    ahead = orjson.loads(value(key(60 * 24 * 365, rotation=False)))
    tape.write(path, [("snapshots", "2026-01-01T01:00:00.000000Z", ahead)])
    assert "ahead of the broker's clock" in driftline("replay", path).err
    tape.write(path, [("snapshots", "", ahead)])
    assert "ahead of the broker's clock" not in driftline("replay", path).err


def test_events_alone_have_no_sums(driftline: Command, tmp_path: Path) -> None:
    said = driftline("replay", "--cloudtrail", logs(tmp_path, 0))
    assert "alert" in said.out
    assert "0 resources" not in said.out
