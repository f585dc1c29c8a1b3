"""A point read never yields what the list would not: above all nothing of another account."""

import json
from typing import Any

import pytest

from driftline.collectors.aws.reread import resource as again
from driftline.collectors.aws.reread.resource import single
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.sweep.read import items
from driftline.collectors.rows.paths import text, value
from tests.collectors.answers import Replayed, context, recorded
from tests.collectors.moto import MASTER
from tests.collectors.test_table import TYPES

OTHER = "999988887777"
OWNERS = ("OwnerId", "Owner", "OwnerAccount", "SnapshotOwnerId", "MasterAccountId")
PAGING = ("max", "limit", "page")
PLAIN = {"AWS::EC2::Volume", "AWS::EC2::Instance"}
"""Their calls know only the account's own."""


def others(item: dict[str, Any]) -> dict[str, Any]:
    """The same of another account."""
    moved: dict[str, Any] = json.loads(json.dumps(item, default=str).replace(f":{MASTER}:", f":{OTHER}:"))  # fmt: skip
    return moved | {name: OTHER for name in OWNERS if name in moved and name in item}


@pytest.mark.parametrize("type_", TYPES)
def test_what_another_account_owns_is_not_read_here(type_: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    kind = kinds()[type_]
    where = context(Replayed(recorded(type_)), kind)
    for item, at in items(kind, where):
        foreign = others(item)
        uid = text(kind.uid, where.holes(foreign))
        owned = any(foreign.get(name) == OTHER for name in OWNERS) and type_ not in PLAIN
        if uid is None or not (owned or OTHER in uid):
            continue
        monkeypatch.setattr(again, "_candidates", lambda *_, one=(foreign, at): [one])
        assert single(kind, where, uid) is None


@pytest.mark.parametrize("type_", [t for t in TYPES if kinds()[t].one])
def test_what_narrows_the_list_narrows_the_point_read(type_: str) -> None:
    """By the same parameter, or by what items are skipped."""
    kind = kinds()[type_]
    assert kind.one
    for name, path in kind.listing.params.items():
        if not name.lower().startswith(PAGING):
            assert kind.one.params.get(name) == path or kind.skip, name


def skipped(kind: Kind, item: dict[str, Any]) -> bool:
    return bool(kind.skip and value(kind.skip, context(Replayed([]), kind).holes(item)))


def test_snapshots_and_policies_of_others() -> None:
    snapshot, policy = kinds()["AWS::EC2::Snapshot"], kinds()["AWS::IAM::Policy"]
    assert skipped(snapshot, {"SnapshotId": "snap-1", "OwnerId": OTHER})
    assert not skipped(snapshot, {"SnapshotId": "snap-1", "OwnerId": MASTER})
    assert skipped(policy, {"Arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"})
    assert not skipped(policy, {"Arn": f"arn:aws:iam::{MASTER}:policy/Own"})
