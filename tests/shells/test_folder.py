"""`driftline scan folder`: AWS Config snapshot files and tapes, good and broken."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from driftline.collectors.aws.files.config import MAPPINGS, opened, snapshot_of
from driftline.collectors.aws.row import kinds
from driftline.collectors.folder.formats import FolderResult
from driftline.collectors.folder.read import read
from driftline.collectors.redact import Redactor
from driftline.pipeline.model import Finding, Snapshot
from driftline.pipeline.records import tape
from tests.collectors.answers import Replayed, read_all, recorded
from tests.collectors.config_items import ITEMS, config_file
from tests.core.world import key, tick, value
from tests.shells.command import Command, Said

KEYED = Redactor(b"k" * 32)
"""As tests.collectors.answers has it: of one key, so that hashes agree."""


def by_api(type_: str, name: str) -> Any:
    found = read_all(Replayed(recorded(type_)), kinds()[type_])
    return next(s for s in found if isinstance(s, Snapshot) and s.name == name)


def by_file(folder: Path) -> tuple[list[Snapshot], FolderResult]:
    """What a folder's files give: snapshots, and what became of the rest."""
    emitted: list[Snapshot] = []
    return emitted, read([folder], lambda topic, value: None, emitted.append, None, KEYED)


def whole(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.out)
    for finding in found["findings"]:
        Finding.model_validate(finding)
    return found


@pytest.mark.parametrize(("type_", "name"), ITEMS)
def test_a_mapped_part_is_what_the_api_gives(type_: str, name: str) -> None:
    """One resource by both ways: no difference, in no part that the file covers."""
    api = by_api(type_, name)
    item = snapshot_of(ITEMS[type_, name], KEYED)
    assert item is not None
    assert item.config == {part: api.config[part] for part in item.config}
    assert item.unread == []
    for field in ("uid", "type", "account", "region", "name", "tags", "provider", "class_"):
        assert getattr(item, field) == getattr(api, field), field
    assert [part.name for part in item.parts] == list(item.config)


def test_every_mapping_is_proven_by_a_pair() -> None:
    proven: dict[str, set[str]] = {type_: set() for type_ in MAPPINGS}
    for (type_, _), raw in ITEMS.items():
        item = snapshot_of(raw, KEYED)
        assert item is not None
        proven[type_] |= item.config.keys()
    assert proven == {type_: set(parts) for type_, parts in MAPPINGS.items()}


def test_configuration_as_text_and_old_names_are_the_same() -> None:
    for raw in ITEMS.values():
        text = raw | {
            "configuration": json.dumps(opened(raw["configuration"])),
            "supplementaryConfiguration": {k: json.dumps(v) for k, v in raw["supplementaryConfiguration"].items()},
        }  # fmt: skip
        assert snapshot_of(text, KEYED) == snapshot_of(raw, KEYED)
        old = {k: v for k, v in raw.items() if k not in ("ARN", "awsAccountId")}
        old |= {"arn": raw["ARN"]} if "ARN" in raw else {}
        old |= {"accountId": raw["awsAccountId"]}
        assert snapshot_of(old, KEYED) == snapshot_of(raw, KEYED)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_files_and_folders(
    driftline: Command, tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = len(ITEMS) // 2
    raws = list(ITEMS.values())
    for name, some in (("a.json", raws[:half]), ("deep/b.json", raws[half:])):
        path = tmp_path / "files" / (name + ".gz" * packed)
        path.parent.mkdir(exist_ok=True, parents=True)
        data = config_file(*some)
        path.write_bytes(gzip.compress(data) if packed else data)
    said = driftline("scan", "folder", "files", "--format", "json")
    found = whole(said)
    assert said.code == 1
    assert (found["problems"], found["not_judged"]) == ([], {})
    uids = {raw.get("ARN", "arn:aws:s3::123456789012:public-access-block") for raw in raws}
    assert {f["resource"]["uid"] for f in found["findings"]} == uids
    monkeypatch.setenv("DRIFTLINE_REDACTION__KEY", "k" * 32)  # of one key, hashes agree
    found = whole(driftline("scan", "folder", "files", "--format", "json"))
    named = sorted(str(path) for path in (tmp_path / "files").rglob("*.json*"))
    assert whole(driftline("scan", "folder", *named, "--format", "json"))["findings"] == found["findings"]  # fmt: skip
    assert whole(driftline("scan", "folder", *reversed(named), "--format", "json"))["findings"] == found["findings"]  # fmt: skip
    failed = {(f["rule"]["id"], f["resource"]["name"]) for f in found["findings"] if f["evaluation"] == "failed"}  # fmt: skip
    assert ("aws-s3-bucket-tls-only", "full") in failed
    assert ("aws-ec2-security-group-no-ssh-from-internet", "default") in failed
    unknown = {(f["rule"]["id"], f["cause"]) for f in found["findings"] if f["evaluation"] == "unknown"}  # fmt: skip
    assert ("aws-iam-role-trust-not-public", "role: never read") in unknown


def test_what_is_not_mapped_is_listed(driftline: Command, tmp_path: Path) -> None:
    raw = ITEMS["AWS::EC2::Volume", "vol-d3ebbf8ddc72dcd7d"]
    other = raw | {"resourceType": "AWS::Glue::Job\x1b[31m"}
    unseen = raw | {"configurationItemStatus": "ResourceNotRecorded"}
    (tmp_path / "a.json").write_bytes(config_file(other, other, unseen, raw))
    said = driftline("scan", "folder", "a.json", "--format", "json")
    found = whole(said)
    assert found["not_judged"] == {
        "AWS::Glue::Job\x1b[31m": 2,
        "AWS::EC2::Volume (not recorded)": 1,
    }
    assert "\x1b" not in said.err
    assert "not judged: AWS::Glue::Job\\x1b[31m: 2" in said.err
    assert said.code == 0


def test_a_deleted_item_takes_its_findings_along(driftline: Command, tmp_path: Path) -> None:
    raw = ITEMS["AWS::S3::Bucket", "full"]
    gone = raw | {
        "configurationItemStatus": "ResourceDeleted", "configuration": None, "supplementaryConfiguration": {},
        "configurationItemCaptureTime": "2027-01-01T00:00:00.000Z",
    }  # fmt: skip
    (tmp_path / "a.json").write_bytes(config_file(raw, gone))
    said = driftline("scan", "folder", "a.json", "--format", "json")
    assert (said.code, whole(said)["findings"]) == (0, [])


GOOD = ITEMS["AWS::EC2::Volume", "vol-d3ebbf8ddc72dcd7d"]
DEEP = "[" * 100_000 + "]" * 100_000
BROKEN_ITEMS: dict[str, Any] = {
    "null": None, "a number": 5, "a text": "x", "a list": [], "no type": {},
    "no configuration": {k: v for k, v in GOOD.items() if k != "configuration"},
    "a configuration of broken text": GOOD | {"configuration": "{"},
    "a configuration of deep text": GOOD | {"configuration": DEEP},
    "no time": {k: v for k, v in GOOD.items() if k != "configurationItemCaptureTime"},
    "a time of no calendar": GOOD | {"configurationItemCaptureTime": "0001-01-01T00:00:00+14:00"},
    "no region": GOOD | {"awsRegion": None}, "no ARN": GOOD | {"ARN": 7}, "tags as a list": GOOD | {"tags": ["a"]},
    "an ARN too long": GOOD | {"ARN": "x" * 5000}, "nested": GOOD | {"x": json.loads("[" * 70 + "]" * 70)},
    "a huge integer": GOOD | {"x": 10**30}, "a status that is a list": GOOD | {"configurationItemStatus": ["OK"]},
    "a type that is a list": GOOD | {"resourceType": ["a"]},
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN_ITEMS.values(), ids=BROKEN_ITEMS)
def test_one_bad_item_never_buries_its_file(tmp_path: Path, broken: Any) -> None:
    (tmp_path / "a.json").write_bytes(config_file(GOOD, broken, ITEMS["AWS::S3::Bucket", "bare"]))
    emitted, told = by_file(tmp_path)
    assert [snapshot.name for snapshot in emitted] == [GOOD["resourceId"], "bare"]
    [problem] = told.problems
    assert problem.startswith(f"{tmp_path}/a.json: configurationItems[1]: ")
    assert len(problem) < 500


@pytest.mark.parametrize("text", ["{", "no JSON", DEEP, '{"a":"\\ud800"}', '{"a":123456789012345678901234567890}', "[" * 62 + "]" * 62, 5])  # fmt: skip
def test_a_part_that_cannot_be_understood_is_unread(
    driftline: Command, tmp_path: Path, text: Any
) -> None:
    """The rest of its resource is judged; what needs it is unknown, never passed."""
    raw = ITEMS["AWS::S3::Bucket", "full"]
    more = raw["supplementaryConfiguration"] | {
        "BucketPolicy": {"policyText": text} if text != 5 else 5
    }
    (tmp_path / "a.json").write_bytes(config_file(raw | {"supplementaryConfiguration": more}))
    said = driftline("scan", "folder", "a.json", "--format", "json")
    found = {f["rule"]["id"]: f for f in whole(said)["findings"]}
    assert found["aws-s3-bucket-policy-not-public"]["evaluation"] == "unknown"
    assert found["aws-s3-bucket-policy-not-public"]["cause"] == "policy: failed Malformed"
    assert found["aws-s3-bucket-versioning-enabled"]["evaluation"] == "passed"


def test_a_configuration_of_another_kind_is_unread(driftline: Command, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(config_file(GOOD | {"configuration": 5}))
    said = driftline("scan", "folder", "a.json", "--format", "json")
    assert said.code == 3
    assert [f["evaluation"] for f in whole(said)["findings"]] == ["unknown"]


BROKEN_FILES = {
    "empty": b"", "no JSON": b"hello", "truncated": config_file(GOOD)[:-40], "a list": b"[]", "null": b"null",
    "items that are a map": b'{"configurationItems":{}}', "another file": b'{"Records":[]}', "nested": b"[" * 1_000_000,
    "gz cut": gzip.compress(config_file(GOOD))[:-20], "gz spoiled": gzip.compress(config_file(GOOD) * 9)[:60] + b"\xff" * 200,
    "gz of nothing": b"\x1f\x8b", "bytes": bytes(range(256)), "UTF-16": config_file(GOOD).decode().encode("utf-16"),
    "a newer version": config_file(GOOD).replace(b'"1.0"', b'"2.0"'), "a newer tape": b'{"driftline":"tape","version":2}\n',
    "a tape's first line alone, cut": b'{"driftline":"tape"', "NaN": config_file(GOOD).replace(b'"1.0"', b"NaN"),
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_broken_file_is_told_and_the_others_are_read(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(data)
    (tmp_path / "good.json").write_bytes(config_file(GOOD))
    emitted, told = by_file(tmp_path)
    assert [snapshot.name for snapshot in emitted] == [GOOD["resourceId"]]
    [problem] = told.problems
    assert problem.startswith(f"{tmp_path}/bad.json")
    assert len(problem) < 500


def test_all_that_is_broken_at_once(driftline: Command, tmp_path: Path) -> None:
    """As a person sees it: a line each, no trace, and the code that says that something was not read."""
    for number, data in enumerate(BROKEN_FILES.values()):
        (tmp_path / f"{number}.json").write_bytes(data)
    (tmp_path / "items.json").write_bytes(config_file(GOOD, *BROKEN_ITEMS.values()))
    said = driftline(
        "scan", "folder", ".", "--format", "json", "--rule", "aws-ec2-volume-encrypted"
    )
    found = whole(said)
    assert said.code == 3
    assert [f["evaluation"] for f in found["findings"]] == ["passed"]
    assert len(found["problems"]) == len(BROKEN_FILES) + len(BROKEN_ITEMS)
    assert said.err.count("\nnot read: ") == len(found["problems"]) - 1
    assert said.err.isascii()


def test_a_name_that_is_no_text_and_an_empty_folder(driftline: Command, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert driftline("scan", "folder", "in").code == 3
    (Path(str(tmp_path / "in") + "/\udcff\x1b[31m.json")).write_bytes(b"x")
    said = driftline("scan", "folder", "in", "--format", "json")
    assert said.code == 3
    assert "\\udcff\\x1b[31m.json" in whole(said)["problems"][0]
    assert driftline("scan", "folder").code == 2
    assert driftline("scan", "folder", "nowhere").code == 2


def test_a_tape_is_redacted_as_the_api_is(driftline: Command, tmp_path: Path) -> None:
    """Who wrote it may not have done so: neither report shows what stands in it."""
    function = {
        "uid": "arn:aws:lambda:eu-west-1:111111111111:function:f", "type": "AWS::Lambda::Function", "provider": "aws", "account": "111111111111",
        "region": "eu-west-1", "captured_at": "2026-01-01T00:00:00Z", "tags": {"pwd": "hunter22", "n": 5, "env": "prod"},
        "config": {"function": {"Environment": {"Variables": {"A": "hunter22"}}}, "policy": {"Statement": [{"Password": "hunter22"}]}, "url_config": None},
        "parts": [{"name": n, "captured_at": "2026-01-01T00:00:00Z"} for n in ("function", "policy", "url_config")],
    }  # fmt: skip
    tape.write(
        tmp_path / "t.ndjson",
        [
            ("snapshots", "", [function, function | {"tags": {"pwd": "hunter22"}}, 5]),
            ("snapshots", "", "hunter22"),
        ],
    )
    for command in (("scan", "folder"), ("replay",)):
        said = driftline(*command, "t.ndjson", "--format", "json")
        found = whole(said)
        assert len(found["findings"]) >= 2
        assert (len(found["dead"]), len(found["problems"])) == (2, 1)
        assert "hunter22" not in said.out + said.err
        assert found["findings"][0]["resource"]["tags"]["pwd"].startswith("redacted:")


def test_a_tape_and_a_snapshot_file_together(driftline: Command, tmp_path: Path) -> None:
    tape.write(
        tmp_path / "t.ndjson.gz",
        [
            ("snapshots", "", json.loads(value(key(0, rotation=False)))),
            ("control", "", json.loads(tick(1))),
        ],
    )
    (tmp_path / "c.json").write_bytes(config_file(GOOD))
    said = driftline("scan", "folder", ".", "--format", "json")
    types = {f["resource"]["type"] for f in whole(said)["findings"]}
    assert types == {"AWS::KMS::Key", "AWS::EC2::Volume"}
