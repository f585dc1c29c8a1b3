"""`driftline baseline`: approving what was read, files under Git, Terraform's word, and what differs now."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from driftline.pipeline.kafka import baseline_store
from driftline.pipeline.model import Baseline
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.settings.blocks import Kafka
from driftline.pipeline.state.resource import Body
from tests.core.world import UID, denied, key
from tests.shells.command import Command

OTHER = UID[:-1] + "2"
WHY = ("--by", "carol", "--reason", "as the standard says")


class Store:
    """In place of Kafka: what was read, and what was said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fold = Fold(Rulebook([]))
        self.records: dict[str, Baseline] = {}
        self.said: list[Baseline] = []
        monkeypatch.setattr(baseline_store, "stored", lambda _: dict(self.records))
        monkeypatch.setattr(baseline_store, "say", self._say)
        monkeypatch.setattr(baseline_store, "present", self._present)
        monkeypatch.setattr(baseline_store, "statuses", lambda _: {f"approved {UID}": "open"})

    def _say(self, _: Kafka, records: Iterable[Baseline]) -> None:
        for record in records:
            self.said.append(record)
            self.records[baseline_store.key(record)] = record

    def _present(self, _: Kafka, wanted: Callable[[str], bool]) -> dict[str, Body]:
        return {b.resource["uid"]: b for b in self.fold.bodies() if wanted(b.resource["uid"])}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, driftline: Command) -> Store:
    made = Store(monkeypatch)
    made.fold.snapshot(key(0))
    made.fold.snapshot(key(0, rotation=False, uid=OTHER))
    return made


def test_approve_what_was_read(driftline: Command, store: Store) -> None:
    said = driftline("baseline", "approve", UID, *WHY)
    assert (said.code, said.out) == (0, "1 resource approved\n")
    [record] = store.said
    assert (record.uid, record.kind, record.by, record.reason) == (
        UID,
        "approved",
        "carol",
        "as the standard says",
    )
    assert record.expect == {"/key": {"Enabled": True}, "/rotation": {"KeyRotationEnabled": True}}
    assert (
        driftline("baseline", "approve", "arn:aws:kms:*", "--part", "key", "--recreated", *WHY).code
        == 0
    )
    assert [(r.uid, list(r.expect), r.recreated) for r in store.said[1:]] == [
        (UID, ["/key"], True),
        (OTHER, ["/key"], True),
    ]


def test_what_is_not_known_is_not_approved(driftline: Command, store: Store) -> None:
    store.fold.snapshot(denied(1, "rotation"))
    said = driftline("baseline", "approve", UID, *WHY)
    assert said.code == 3
    assert f"not read, not approved: {UID}: rotation" in said.err
    assert list(store.said[0].expect) == ["/key"]
    for words in (("nothing",), (UID, "--account", "2"), (UID, "--type", "AWS::S3::Bucket")):
        none = driftline("baseline", "approve", *words, *WHY)
        assert (none.code, "no such resource was read" in none.err) == (2, True)


def test_through_files(driftline: Command, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "approved"
    said = driftline("baseline", "approve", "*", "--output", folder, *WHY)
    assert (said.code, store.said) == (0, [])
    files = sorted(folder.iterdir())
    assert len(files) == 2
    before = [file.read_bytes() for file in files]
    driftline("baseline", "approve", "*", "--output", folder, *WHY)
    assert [file.read_bytes() for file in files] == before, "the same words are the same bytes"
    dry = driftline("baseline", "apply", folder, "--dry-run")
    assert ("2 begin or change, 0 end" in dry.out, store.said) == (True, [])
    assert driftline("baseline", "apply", folder).code == 0
    assert {record.uid: record.source for record in store.said} == {UID: "file", OTHER: "file"}
    assert "0 begin or change, 0 end, 2 unchanged" in driftline("baseline", "apply", folder).out
    next(file for file in files if json.loads(file.read_text())["uid"] == OTHER).unlink()
    assert "0 begin or change, 1 end, 1 unchanged" in driftline("baseline", "apply", folder).out
    assert store.said[-1].uid == OTHER
    assert store.said[-1].revoked is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "1:1: not a baseline"),
        ('{"uid": "a", "by": "b", "reason": "c", "expect": {"key": 1}}', "not a JSON Pointer"),
        (
            '{"uid": "a", "by": "b", "reason": "c", "expected": {"/key": 1}}',
            "did you mean 'expect'",
        ),
        ('{"uid": "a", "by": "b", "reason": " ", "expect": {"/key": 1}}', "reason must be text"),
        (
            '{"uid": "a", "by": "b", "reason": "c", "expect": {"/key": 1}, "recreated": 1}',
            "true or false",
        ),
        ("{", "x.json:2:1"),
    ],
)
def test_mistakes_in_files(
    driftline: Command, store: Store, tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "x.json").write_text(text)
    said = driftline("baseline", "apply", tmp_path / "x.json")
    assert (said.code, problem in said.err, store.said) == (2, True, []), said.err


def test_list_diff_and_revoke(
    driftline: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    driftline("baseline", "approve", UID, *WHY)
    assert driftline("baseline", "diff", UID).out == "no difference\n"
    store.fold.snapshot(key(1, rotation=False))
    said = driftline("baseline", "diff", UID, "--format", "json")
    assert said.code == 1
    assert json.loads(said.out) == [
        {
            "kind": "approved",
            "op": "replace",
            "path": "/rotation/KeyRotationEnabled",
            "expected": True,
            "now": False,
        }
    ]
    assert "/rotation/KeyRotationEnabled" in driftline("baseline", "diff", UID).out
    [row] = json.loads(driftline("baseline", "list", "--format", "json").out)
    assert (row["uid"], row["state"], row["places"]) == (UID, "open", ["/key", "/rotation"])
    assert UID in driftline("baseline", "list").out
    assert driftline("baseline", "revoke", UID).out == "1 ended\n"
    assert driftline("baseline", "list").out == "no baselines\n"
    for words in (("diff", UID), ("revoke", UID)):
        gone = driftline("baseline", *words)
        assert gone.code == 2, gone.err


def plan(tmp_path: Path, serial: int = 1, lineage: str = "l", **attributes: object) -> Path:
    instance = {
        "attributes": {"arn": UID, "enable_key_rotation": True, "is_enabled": True} | attributes
    }
    state = {"version": 4, "serial": serial, "lineage": lineage,
             "resources": [{"mode": "managed", "type": "aws_kms_key", "name": "k", "instances": [instance]}]}  # fmt: skip
    path = tmp_path / "state.json"
    path.write_text(json.dumps(state))
    return path


def test_declare(driftline: Command, store: Store, tmp_path: Path) -> None:
    words = ("baseline", "declare", "--workspace", "main", "--plan")
    dry = driftline(*words, plan(tmp_path), "--dry-run", "--format", "json")
    assert (json.loads(dry.out)["kind"], store.said) == ("recorded", [])
    said = driftline(*words, plan(tmp_path, 3))
    assert f"recorded: {UID}: /key/Enabled, /rotation/KeyRotationEnabled" in said.out
    assert "1 resource recorded, 0 end, 0 are not, or not completely, compared" in said.out
    older = driftline(*words, plan(tmp_path, 2))
    assert (older.code, "older (serial 2)" in older.err) == (2, True)
    other = driftline(*words, plan(tmp_path, 4, "m"))
    assert (other.code, "another lineage" in other.err) == (2, True)
    assert driftline(*words, plan(tmp_path, 2), "--force").code == 0
    gone = driftline(*words, plan(tmp_path, 5, arn=OTHER))
    assert "1 resource recorded, 1 ends" in gone.out
    assert store.records[f"recorded {UID}"].revoked is not None
    assert store.records[f"recorded {OTHER}"].at <= datetime.now(UTC)


def plan_of(tmp_path: Path, *arns: str, **more: object) -> Path:
    """A plan of keys, whole unless `more` says otherwise."""
    keys = [{"address": f"aws_kms_key.k{n}", "mode": "managed", "type": "aws_kms_key", "name": f"k{n}"} for n in range(len(arns))]  # fmt: skip
    values = [key | {"values": {"arn": arn, "enable_key_rotation": True}} for key, arn in zip(keys, arns, strict=True)]  # fmt: skip
    blocks = [key | {"expressions": {"enable_key_rotation": {"constant_value": True}}, "provider_config_key": "aws"} for key in keys]  # fmt: skip
    changes = [key | {"change": {"actions": ["no-op"]}} for key in keys]
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({
        "format_version": "1.2", "planned_values": {"root_module": {"resources": values}}, "resource_changes": changes,
        "configuration": {"root_module": {"resources": blocks}}, "complete": True, "errored": False, **more,
    }))  # fmt: skip
    return path


def test_a_plan_that_is_not_whole_ends_nothing(
    driftline: Command, store: Store, tmp_path: Path
) -> None:
    words = ("baseline", "declare", "--workspace", "main", "--plan")
    assert driftline(*words, plan_of(tmp_path, UID, OTHER)).code == 0
    for more, why in (({"errored": True}, "errored: true"), ({"complete": False}, "-target")):
        partial = plan_of(tmp_path, UID, **more)
        said = driftline(*words, partial)
        assert (said.code, why in said.err, "--force" in said.err, len(store.said)) == (2, True, True, 2)  # fmt: skip
        assert driftline(*words, partial, "--dry-run").code == 2
    forced = driftline(*words, plan_of(tmp_path, UID, complete=False), "--force")
    assert "1 resource declared, 0 end" in forced.out
    assert "not complete, so nothing ends: " in forced.out
    assert store.records[f"declared {OTHER}"].revoked is None
    ended = driftline(*words, plan_of(tmp_path, UID))
    assert f"ended: {OTHER}" in ended.out
    assert store.records[f"declared {OTHER}"].revoked is not None


def test_what_another_workspace_declares_is_its_own(
    driftline: Command, store: Store, tmp_path: Path
) -> None:
    words = ("baseline", "declare", "--plan", plan_of(tmp_path, UID), "--workspace")
    driftline(*words, "one", "--repository", "https://git.example/infra", "--path", "keys")
    [record] = store.said
    assert (record.source, record.address, record.repository, record.path) == (
        "one", "aws_kms_key.k0", "https://git.example/infra", "keys",
    )  # fmt: skip
    other = driftline(*words, "two")
    assert "not compared: aws_kms_key.k0: aws_kms_key.k0 of workspace one is declared" in other.out
    assert "0 resources declared, 0 end" in other.out
    assert driftline(*words, "two", "--force").code == 0
    assert store.records[f"declared {UID}"].source == "two"


def test_declare_as_json(driftline: Command, store: Store, tmp_path: Path) -> None:
    said = driftline(
        "baseline", "declare", "--plan", plan_of(tmp_path, UID, errored=True), "--workspace", "w", "--dry-run", "--force",
        "--format", "json",
    )  # fmt: skip
    told = json.loads(said.out)
    assert told["declared"] == {UID: {"/rotation/KeyRotationEnabled": True}}
    assert told["addresses"] == {UID: ["aws_kms_key.k0"]}
    assert (told["ended"], told["notes"], told["not_compared"]) == ([], [], {})
    assert len(told["partial"]) == 1
