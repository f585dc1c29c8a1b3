"""A file of findings: one a line, whole lines only, readable by its owner."""

import asyncio
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.rulebook.match import is_transition
from driftline.sinks.base import Action, Busy
from driftline.sinks.ndjson import NdjsonSink
from tests.sinks.findings import NOW, SPECIAL, findings


def send(path: Path, *specials: str) -> list[str]:
    sink = NdjsonSink(path)
    actions = [
        a
        for special in specials
        if is_transition(FINDINGS.own, findings()[special])
        for a in sink.render(FINDINGS.name, findings()[special], NOW)
    ]
    return [receipt.kind for receipt in asyncio.run(sink.send(actions))]


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_every_finding_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    told = [name for name in SPECIAL if name != "restated"]  # that is nothing that happened
    assert send(path, *SPECIAL) == ["done"] * len(told)
    assert lines(path) == [findings()[name] for name in told]
    assert path.stat().st_mode & 0o777 == 0o600
    send(path, "failed")
    assert len(lines(path)) == len(told) + 1


def test_every_revision_has_its_own_id() -> None:
    sink = NdjsonSink(Path("x"))
    one = sink.render(FINDINGS.name, findings()["failed"], NOW)[0]
    two = sink.render(FINDINGS.name, findings()["resolved"], NOW)[0]
    assert one.target == two.target
    assert one.id != two.id


def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    path.write_bytes(b'{"id": "cut')
    send(path, "failed", "passed")
    first, *rest = path.read_bytes().splitlines()
    assert first == b'{"id": "cut'
    assert [orjson.loads(line) for line in rest] == [findings()["failed"], findings()["passed"]]


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    send(path, "failed")
    path.rename(tmp_path / "old")
    send(path, "passed")
    assert [line["evaluation"] for line in lines(path)] == ["passed"]


def test_no_place_is_busy_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Busy, match="No such file"):
        send(tmp_path / "missing" / "findings.ndjson", "failed")
    path = tmp_path / "findings.ndjson"
    send(path, "failed")
    before = path.read_bytes()
    write = os.write
    calls: list[int] = []

    def full(file: int, data: bytes) -> int:
        calls.append(file)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(file, data[:50])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Busy, match="No space left"):
        asyncio.run(NdjsonSink(path).send([Action("append", str(path), "a", 1, {"x": "y" * 100})]))
    assert path.read_bytes() == before
