"""Whether a bucket is public, from files of AWS Config alone: each rule fails, passes and is unknown where it should be.

The forms are those of public samples: groups by their last word, texts within texts, the account's switches as an item
without an ARN."""

import json
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from driftline.collectors.folder.read import read
from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.evaluate import evaluate
from driftline.pipeline.assess.lifecycle import update_life_cycle
from driftline.pipeline.assess.merge import described, merge
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.model import Snapshot, micros
from driftline.pipeline.rulebook import load
from driftline.pipeline.state.resource import State
from tests.collectors.config_items import BUCKET_ACL, ITEMS, account_block, config_file
from tests.shells.test_folder import KEYED

RULEBOOK = load()
ACL, POLICY, BLOCKED, ACCOUNT = (
    "aws-s3-bucket-acl-not-public", "aws-s3-bucket-policy-not-public", "aws-s3-bucket-public-access-blocked",
    "aws-s3-account-public-access-blocked",
)  # fmt: skip
FULL = ITEMS["AWS::S3::Bucket", "full"]
ALL, NONE = (True,) * 4, (False,) * 4
NAMES = ("blockPublicAcls", "ignorePublicAcls", "blockPublicPolicy", "restrictPublicBuckets")
GROUPS = ("AllUsers", "AuthenticatedUsers")


def bucket(
    switches: Any = None, grantee: Any = None, policy: Any = None, **more: Any
) -> dict[str, Any]:
    """A bucket's item. `switches`: None leaves them out, as Config does where there are none."""
    owned: list[Any] = BUCKET_ACL["grantList"]  # type: ignore[assignment]
    grants = [*owned] + ([{"grantee": grantee, "permission": "Read"}] if grantee else [])  # fmt: skip
    extras = {
        "AccessControlList": json.dumps(json.dumps(BUCKET_ACL | {"grantList": grants})),
        "BucketPolicy": {"policyText": json.dumps(policy) if policy else None},
    }
    if switches is not None:
        text = json.dumps(dict(zip(NAMES, switches, strict=True)))
        extras["PublicAccessBlockConfiguration"] = text
    extras = {name: value for name, value in extras.items() if name not in more.get("without", ())}
    return FULL | {"supplementaryConfiguration": extras}


def verdicts(folder: Path, *items: Any, known: set[str] | None = None) -> dict[str, str]:
    """What every rule says of the last state of all resources in a file."""
    (folder / "a.json").write_bytes(config_file(*items))
    states: dict[str, State] = {}
    emitted: list[Snapshot] = []
    told = read([folder], lambda topic, value: None, emitted.append, known, KEYED)
    assert told.problems == []
    for snapshot in emitted:
        work = Assessment.begin(
            states.get(snapshot.uid),
            micros(snapshot.captured_at),
            RULEBOOK,
            AssessOptions(),
            about=described(snapshot),
        )
        for step in (partial(merge, snapshot=snapshot), evaluate, update_life_cycle):
            step(work)
        states[snapshot.uid] = work.state
    return {rule: life.evaluation for state in states.values() for rule, life in state.body.lives.items()}  # fmt: skip


OPEN: Any = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::full/*"}]}  # fmt: skip
IGNORES, RESTRICTS = (False, True, False, False), (False, False, False, True)
TABLE: list[tuple[str, list[Any], dict[str, str]]] = [
    ("nothing is set", [bucket(), account_block(*NONE)], {ACL: "passed", POLICY: "passed", BLOCKED: "failed", ACCOUNT: "failed"}),
    ("everybody may read", [bucket(None, "AllUsers"), account_block(*NONE)], {ACL: "failed"}),
    ("everybody with an account", [bucket(NONE, "AuthenticatedUsers"), account_block(*NONE)], {ACL: "failed"}),
    ("the writer of logs", [bucket(None, "LogDelivery"), account_block(*NONE)], {ACL: "passed"}),
    ("a group that nobody knows", [bucket(None, "Somebody"), account_block(*NONE)], {ACL: "unknown"}),
    ("the bucket ignores lists", [bucket(IGNORES, "AllUsers")], {ACL: "passed", BLOCKED: "unknown"}),
    ("the account ignores lists", [bucket(None, "AllUsers"), account_block(*IGNORES)], {ACL: "passed", BLOCKED: "failed"}),
    ("an open policy", [bucket(None, None, OPEN), account_block(*NONE)], {POLICY: "failed"}),
    ("an open policy, restricted", [bucket(RESTRICTS, None, OPEN)], {POLICY: "passed"}),
    ("an open policy, the account unknown", [bucket(None, None, OPEN)], {POLICY: "unknown"}),
    ("an open list, the account unknown", [bucket(NONE, "AllUsers")], {ACL: "unknown", BLOCKED: "unknown"}),
    ("all by the bucket", [bucket(ALL)], {BLOCKED: "passed"}),
    ("all by the account", [bucket(), account_block(*ALL)], {BLOCKED: "passed", ACCOUNT: "passed"}),
    ("half by each", [bucket((True, True, False, False)), account_block(False, False, True, True)], {BLOCKED: "passed"}),
    ("the account's were removed", [bucket(None, "AllUsers"), account_block(*ALL), account_block(*ALL,
        configurationItemStatus="ResourceDeleted", configuration=None, configurationItemCaptureTime="2026-11-24T15:00:00.000Z")],
        {ACL: "failed", BLOCKED: "failed", ACCOUNT: "failed"}),
    ("another account's", [bucket(None, "AllUsers"), account_block(*ALL, awsAccountId="999999999999")], {ACL: "unknown"}),
    ("Config could not read the bucket", [bucket(None, None, OPEN, without=["AccessControlList"]), account_block(*NONE)],
        {POLICY: "unknown", BLOCKED: "unknown", ACL: "unknown"}),
]  # fmt: skip


@pytest.mark.parametrize(("items", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])  # fmt: skip
def test_what_is_public(tmp_path: Path, items: list[Any], wanted: dict[str, str]) -> None:
    for some in permutations(items):
        found = verdicts(tmp_path, *some)
        assert {rule: found.get(rule) for rule in wanted} == wanted


def test_each_rule_can_fail_and_pass_from_a_file() -> None:
    said = {(rule, what) for _, _, wanted in TABLE for rule, what in wanted.items()}
    assert {(rule, what) for rule in (ACL, POLICY, BLOCKED, ACCOUNT) for what in ("failed", "passed")} <= said  # fmt: skip


def test_the_account_counts_where_only_buckets_are_asked_for(tmp_path: Path) -> None:
    items = [account_block(*NONE), bucket(None, "AllUsers")]
    found = verdicts(tmp_path, *items, known={"AWS::S3::Bucket"})
    assert found[ACL] == "failed"
    assert ACCOUNT not in found


def test_the_account_of_another_partition(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(config_file(account_block(*ALL, awsRegion="us-gov-west-1")))
    emitted: list[Snapshot] = []
    read([tmp_path], lambda topic, value: None, emitted.append, None, KEYED)
    assert [one.uid for one in emitted] == ["arn:aws-us-gov:s3::123456789012:public-access-block"]
