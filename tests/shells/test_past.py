"""Replay of many files: findings and drifts with who did it, the same bytes however the records are spread."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from driftline.collectors.folder.past import past
from driftline.collectors.redact import Redactor
from driftline.pipeline.model import (
    Baseline,
    Control,
    Drift,
    Part,
    RiskException,
    Scope,
    Snapshot,
    Tick,
)
from driftline.pipeline.model.control import Gone, Swept
from driftline.pipeline.records import codec, tape
from tests.collectors.events.samples import ACCOUNT, OPENED, event
from tests.core.world import minute, tick
from tests.shells.command import Command

GROUP = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/sg-1"
OPEN = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}  # fmt: skip


def group(at: float, *permissions: Any) -> bytes:
    config = {
        "group": {"GroupId": "sg-1", "GroupName": "door", "OwnerId": ACCOUNT, "IpPermissions": list(permissions), "IpPermissionsEgress": []},
        "prefix_lists": None,
    }  # fmt: skip
    return codec.encode_snapshot(
        Snapshot(
            uid=GROUP, type="AWS::EC2::SecurityGroup", provider="aws", account=ACCOUNT, region="eu-west-1", name="door",
            captured_at=minute(at), config=config, parts=[Part(name=p, captured_at=minute(at)) for p in config],
        )
    )  # fmt: skip


def at(second: int, **more: Any) -> dict[str, Any]:
    return {"eventTime": f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}Z"} | more


READINGS = [("snapshots", group(0)), ("snapshots", group(10, OPEN)), ("snapshots", group(20)), ("control", tick(30))]  # fmt: skip
RECORDS = [
    OPENED | at(590),
    event("RevokeSecurityGroupIngress", "ec2", requestParameters={"groupId": "sg-1"}, eventID="e2") | at(1190),
    event("DescribeInstances", "ec2", readOnly=True, eventID="e3") | at(600),
    event("AuthorizeSecurityGroupIngress", "ec2", requestParameters={"groupId": "sg-9"}, eventID="e4") | at(595),
]  # fmt: skip


def spread(folder: Path, seed: int) -> list[str]:
    """The same records in other files, another order, some twice; the options that name them."""
    random = Random(seed)
    folder.mkdir()
    readings, events = list(READINGS), list(RECORDS)
    if seed:
        readings += random.sample(READINGS, 2)
        events += random.sample(RECORDS, 2)
        random.shuffle(readings)
        random.shuffle(events)
    words: list[str] = []
    for number, some in enumerate((readings[::2], readings[1::2])):
        path = folder / f"{number}.tape"
        tape.write(path, [(topic, "", json.loads(data)) for topic, data in some])
        words += ["--tape", str(path)]
    logs = folder / "logs"
    logs.mkdir()
    (logs / "a.json").write_text(json.dumps({"Records": events[::2]}))
    (logs / "b.json.gz").write_bytes(gzip.compress(json.dumps({"Records": events[1::2]}).encode()))
    return [*words, "--cloudtrail", str(logs)]


def test_the_same_bytes_however_the_records_are_spread(tmp_path: Path, driftline: Command) -> None:
    said = [driftline("replay", *spread(tmp_path / str(seed), seed), "--format", "json") for seed in range(6)]  # fmt: skip
    assert {one.err for one in said} == {""}
    assert len({one.out for one in said}) == 1
    found = json.loads(said[0].out)
    drifts = [Drift.model_validate(one) for one in found["drift"]]
    assert [(d.part, d.attribution, [c.op for c in d.changes]) for d in drifts] == [
        ("group", "attributed", ["add"]),
        ("group", "attributed", ["remove"]),
    ]
    assert {d.actor.name for d in drifts if d.actor} == {"ann"}
    ssh = next(f for f in found["findings"] if f["rule"]["id"] == "aws-ec2-security-group-no-ssh-from-internet")  # fmt: skip
    assert (ssh["status"], ssh["actor"]["name"], ssh["drift"]) == ("resolved", "ann", drifts[0].id)


def test_a_tape_or_the_options(tmp_path: Path, driftline: Command) -> None:
    words = spread(tmp_path / "x", 0)
    assert driftline("replay").code == 2
    assert driftline("replay", words[1], *words).code == 2


def test_what_cannot_be_read_is_told(tmp_path: Path, driftline: Command) -> None:
    words = spread(tmp_path / "x", 0)
    (tmp_path / "x" / "logs" / "bad.json").write_text(
        '{"Records": [5, {"eventName": "X", "eventTime": "never"}]}'
    )
    said = driftline("replay", *words, "--format", "json")
    assert "bad.json: Records[0]" in said.err
    assert "bad.json: Records[1]" in said.err
    assert len(json.loads(said.out)["drift"]) == 2


@pytest.mark.parametrize("name", ["--tape", "--cloudtrail", "--snapshots"])
def test_a_path_that_is_not_there(driftline: Command, name: str) -> None:
    assert driftline("replay", name, "nowhere").code == 2


def test_every_kind_of_control_record_has_its_place(tmp_path: Path) -> None:
    """By the time that it carries: none is left out of the past."""
    scope = Scope(provider="aws", account=ACCOUNT, region="eu-west-1", type="AWS::KMS::Key")
    words = [
        Control(swept=Swept(scope=scope, started_at=minute(1), complete=True, ended_at=minute(6))),
        Control(gone=Gone(provider="aws", account="1", reason="account_gone", at=minute(5))),
        Control(baseline=Baseline(uid="x", kind="approved", by="ann", at=minute(4))),
        Control(exception=RiskException(id="e", rule="r", reason="x", owner="o", approver="a", at=minute(3), until=minute(9))),
        Control(swept=Swept(scope=scope, started_at=minute(2), complete=True)),
        Control(tick=Tick(source="sweep", watermark=minute(1))),
    ]  # fmt: skip
    kinds = set(Control.model_fields) - {"rulebook"}
    assert {kind for word in words for kind in word.model_fields_set} == kinds, "a kind without a time"  # fmt: skip
    path = tmp_path / "t.tape"
    tape.write(path, [("control", "", json.loads(word.encode())) for word in words])
    found = past([path], (), (), Redactor(b"k" * 32))
    assert found.problems == []
    assert [codec.control(one.value) for one in found] == words[::-1]
