"""`driftline forget`: what would end, and the word to the stream."""

from typing import Any

import orjson
import pytest

from driftline.pipeline.kafka import client as kafka
from driftline.pipeline.kafka import forgetting
from driftline.pipeline.model import Gone
from driftline.pipeline.records.topics import FINDINGS, SWEEPS
from tests.core.world import UID, World, gone, key
from tests.shells.command import Command

OTHER, DEAD = f"{UID}other", f"{UID}dead"
SCOPE = b"aws/111111111111/eu-west-1/AWS::KMS::Key"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Gone], list[bytes]]]:
    world = World()
    world.snapshot(key(0, False))
    world.snapshot(key(0, True, uid=OTHER))
    world.snapshot(key(0, False, uid=DEAD))
    world.snapshot(gone(5, DEAD))
    said: list[tuple[list[Gone], list[bytes]]] = []
    there = {
        FINDINGS.name: world.findings | {b"x": b"{no finding"},
        SWEEPS.name: {SCOPE: b"", SCOPE + b"#0": b"", b"aws/2/eu-west-1/T": b"", b"odd": b""},
    }
    monkeypatch.setattr(kafka, "read_compacted", lambda _, topic: there[topic])
    monkeypatch.setattr(forgetting, "say", lambda _, words, keys: said.append((words, keys)))
    return said


def test_a_dry_run_says_what_would_end(driftline: Command, told: list[Any]) -> None:
    said = driftline("forget", "--account", "111111111111", "--dry-run", "--format", "json")
    assert said.code == 0
    assert orjson.loads(said.out) == [
        {"account": "111111111111", "region": "eu-west-1", "type": "AWS::KMS::Key", "resources": 2, "findings": 6, "open": 1}
    ]  # fmt: skip
    assert "2 resources, 6 findings would end, 1 of them open" in said.err
    assert told == []
    assert "AWS::KMS::Key" in driftline("forget", "--uid", UID, "--dry-run").out


def test_it_is_told_with_yes(driftline: Command, told: list[Any]) -> None:
    assert (
        driftline("forget", "--account", "111111111111", "--region", "eu-west-1", "--yes").code == 0
    )
    assert driftline("forget", "--uid", UID, "--yes").code == 0
    (account, dropped), (one, kept) = told
    assert [(g.account, g.region, g.uid, g.reason) for g in account] == [("111111111111", "eu-west-1", None, "forgotten")]  # fmt: skip
    assert dropped == [SCOPE, SCOPE + b"#0"]
    assert [(g.account, g.uid) for g in one] == [("111111111111", UID)]
    assert kept == []


def test_an_account_without_findings_is_told_all_the_same(
    driftline: Command, told: list[Any]
) -> None:
    assert driftline("forget", "--account", "sub-1", "--provider", "azure", "--yes").code == 0
    assert [(g.provider, g.account) for g in told[0][0]] == [("azure", "sub-1")]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "--account ID or --uid UID"), (("--uid", "nowhere", "--yes"), "no finding names nowhere"),
        (("--uid", UID, "--type", "T"), "go with --account"), (("--account", "111111111111"), "add --yes"),
    ],
)  # fmt: skip
def test_mistakes_are_told(driftline: Command, told: list[Any], arguments: tuple[str, ...], why: str) -> None:  # fmt: skip
    said = driftline("forget", *arguments)
    assert (said.code, why in said.err, told) == (2, True, [])
