"""Who did it, where a request sets the whole of something: what it does not name is gone."""

from datetime import timedelta
from functools import cache
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.redact import Redactor
from driftline.pipeline.model import Drift, Snapshot
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import CHANGES, CONTROL
from driftline.pipeline.rulebook import Rulebook, load
from tests.collectors.events.samples import ACCOUNT, event
from tests.core.world import heard, key, minute, tick

BUCKET = "arn:aws:s3:::b1"
TYPE = "AWS::S3::Bucket"
READER = ChangeReader(Redactor(b"k" * 32), "eventbridge", NoNames())
Statement = dict[str, Any]


@cache
def rules() -> Rulebook:
    return load().only(types=[TYPE])


def statement(sid: str, principal: Any, action: str, effect: str = "Allow") -> Statement:
    return {
        "Sid": sid,
        "Effect": effect,
        "Principal": principal,
        "Action": action,
        "Resource": f"{BUCKET}/*",
    }


DENY = statement("tls", "*", "s3:*", "Deny") | {
    "Condition": {"Bool": {"aws:SecureTransport": "false"}}
}
READ = statement("read", {"AWS": "arn:aws:iam::222222222222:root"}, "s3:GetObject")
WRITE = statement("write", {"AWS": "arn:aws:iam::333333333333:root"}, "s3:PutObject")
OWN = {"Grantee": {"Type": "CanonicalUser", "ID": "c0ffee"}, "Permission": "FULL_CONTROL"}
PUBLIC = {
    "Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"},
    "Permission": "READ",
}


def policy(*statements: Statement) -> dict[str, Any]:
    return {"policy": {"Version": "2012-10-17", "Statement": list(statements)}}


def acl(*grants: dict[str, Any]) -> dict[str, Any]:
    return {"acl": {"Owner": {"ID": "c0ffee"}, "Grants": [OWN, *grants]}}


Told = tuple[str, str, str | None, str | None]


class Bucket(Fold):
    """A bucket, and people who call S3."""

    def __init__(self) -> None:
        super().__init__(rules())
        self.feed(CONTROL.name, heard(0))
        self.feed(CONTROL.name, tick(0))

    def read(self, at: float, config: dict[str, Any], **tags: str) -> None:
        one = key(at, None, None, BUCKET).model_dump()
        one |= {"type": TYPE, "name": "b1", "config": config, "tags": tags}
        one["parts"] = [{"name": name, "captured_at": minute(at)} for name in config]
        self.snapshot(Snapshot.model_validate(one))

    def called(self, at: float, who: str, name: str, **request: Any) -> None:
        identity = {
            "type": "IAMUser", "principalId": f"AIDA{who}", "arn": f"arn:aws:iam::{ACCOUNT}:user/{who}",
            "accountId": ACCOUNT, "accessKeyId": f"AKIA{who}", "userName": who,
        }  # fmt: skip
        record = event(
            name, "s3", userIdentity=identity, eventID=f"{who}-{at}", eventTime=minute(at).strftime("%Y-%m-%dT%H:%M:%SZ"),
            requestParameters={"bucketName": "b1", **request},
        )  # fmt: skip
        for change in READER.changes(record):
            self.feed(CHANGES.name, change.encode())

    def told(self) -> list[Told]:
        """Of the last drift's places: how it changed, where, attribution, who."""
        for at in (30, 40):
            self.feed(CONTROL.name, heard(at))
            self.feed(CONTROL.name, tick(at))
        assert not self.dead
        drift = max(map(Drift.model_validate_json, self.drifts.values()), key=lambda one: one.at)
        return [
            (c.op, c.path, c.attribution, c.person.name if c.person else None)
            for c in drift.changes
        ]


@pytest.mark.parametrize("order", list(permutations("amr")))
def test_who_left_a_statement_in_has_not_taken_it_away(order: tuple[str, ...]) -> None:
    world = Bucket()
    world.read(0, policy(DENY, READ))
    for what in order:
        if what == "a":
            world.called(
                1, "alice", "PutBucketPolicy", bucketPolicy=policy(DENY, READ, WRITE)["policy"]
            )
        elif what == "m":
            world.called(
                2, "mallory", "PutBucketPolicy", bucketPolicy=policy(WRITE, READ)["policy"]
            )
        else:
            world.read(5, policy(WRITE, READ))
    assert {(op, said, who) for op, _, said, who in world.told()} == {
        ("remove", "ambiguous", None),
        ("add", "ambiguous", None),
    }


def test_of_a_policy_deleted_nobody_else_is_blamed() -> None:
    world = Bucket()
    world.read(0, policy(DENY))
    world.called(1, "alice", "PutBucketPolicy", bucketPolicy=policy(DENY, READ)["policy"])
    world.called(2, "mallory", "DeleteBucketPolicy", policy="")
    world.read(5, {"policy": None})
    assert world.told() == [("replace", "/policy", "ambiguous", None)]


def test_a_canned_grant_is_not_somebody_elses() -> None:
    world = Bucket()
    world.read(0, acl())
    grant = [{"Grantee": {"ID": "c0ffee"}, "Permission": "READ"}]
    world.called(
        1,
        "alice",
        "PutBucketAcl",
        AccessControlPolicy={"AccessControlList": {"Grant": grant}},
    )
    world.called(2, "mallory", "PutBucketAcl", **{"x-amz-acl": "public-read", "acl": ""})
    world.read(5, acl(PUBLIC))
    assert world.told() == [("add", "/acl/Grants/1", "ambiguous", None)]


def test_one_alone_is_named_for_all_of_it() -> None:
    world = Bucket()
    world.read(0, policy(DENY))
    world.called(2, "mallory", "PutBucketPolicy", bucketPolicy=policy(READ, WRITE)["policy"])
    world.read(5, policy(READ, WRITE))
    told = world.told()
    assert {(said, who) for _, _, said, who in told} == {("attributed", "mallory")}
    assert [op for op, *_ in told] == ["remove", "add", "add"]


def test_tags_put_as_a_whole() -> None:
    world = Bucket()
    world.read(0, acl(), env="prod", owner="al")
    put = {"TagSet": {"Tag": [{"Key": "env", "Value": "prod"}, {"Key": "team", "Value": "t"}]}}
    world.called(1, "alice", "PutBucketTagging", Tagging=put)
    world.called(2, "mallory", "DeleteBucketTagging")
    world.read(5, acl())
    assert {one[2:] for one in world.told()} == {("ambiguous", None)}


PEOPLE = ("ann", "bob", "carl", "dora", "eve")
STATEMENTS = [
    statement(f"s{n}", "*" if n % 4 == 0 else {"AWS": f"arn:aws:iam::{222222222220 + n % 3}:root"},
              ("s3:GetObject", "s3:PutObject", "s3:*")[n % 3], "Allow" if n % 3 else "Deny")
    for n in range(10)
]  # fmt: skip
act = st.tuples(
    st.sampled_from([0.05, 0.5, 3, 30]), st.sampled_from(PEOPLE), st.sampled_from(["add", "drop", "swap", "delete"]), st.integers(0, 9),
    st.booleans(),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(act, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_whoever_is_named_has_put_or_left_out_what_differs(acts: list[Any], chance: Any) -> None:
    world, now, at = Bucket(), [0, 1], 1.0
    made: set[tuple[float, str, str, int]] = set()
    world.read(0, policy(*(STATEMENTS[n] for n in now)))
    calls: list[tuple[float, str, list[int]]] = []
    reads: list[tuple[float, list[int]]] = []
    for wait, who, what, number, look in acts:
        at += wait
        new = [] if what == "delete" else list(now)
        if what in ("drop", "swap") and new:
            new.pop(number % len(new))
        if what in ("add", "swap") and number not in new:
            new.append(number)
        made |= {(at, who, "add", n) for n in new if n not in now}
        made |= {(at, who, "remove", n) for n in now if n not in new}
        now = new
        calls.append((at, who, now))
        if look:
            at += 0.1
            reads.append((at, now))
    reads.append((at + 5, now))
    order: list[Any] = [(None, one) for one in reads]
    for call in calls:
        order.insert(chance.randint(0, len(order)), (call[1], call))
    for who, (when, *_, stood) in order:
        whole = policy(*(STATEMENTS[n] for n in stood)) if stood else {"policy": None}
        if who is None:
            world.read(when, whole)
        elif stood:
            world.called(when, who, "PutBucketPolicy", bucketPolicy=whole["policy"])
        else:
            world.called(when, who, "DeleteBucketPolicy")
    for more in (at + 10, at + 30):
        world.feed(CONTROL.name, heard(more))
        world.feed(CONTROL.name, tick(more))
    for drift in map(Drift.model_validate_json, world.drifts.values()):
        _holds(drift, made)


def _holds(drift: Drift, made: set[tuple[float, str, str, int]]) -> None:
    """Whoever is named has made every statement of the place."""
    assert drift.since
    begin, end = drift.since - timedelta(seconds=1), drift.at + timedelta(seconds=1)
    for one in drift.changes:
        if one.attribution == "attributed":
            assert one.person
            before, after = _sids(one.before), _sids(one.after)
            wanted = {("add", n) for n in after - before} | {("remove", n) for n in before - after}
            own = {
                (op, n)
                for when, who, op, n in made
                if who == one.person.name and begin <= minute(when) <= end
            }
            assert wanted <= own, (one, made)


def _sids(value: Any) -> set[int]:
    found = value.get("Statement", [value]) if isinstance(value, dict) else []
    return {int(one["Sid"][1:]) for one in found}
