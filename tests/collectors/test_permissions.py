"""The generated policy against the calls that a full sweep makes: nothing is missing, nothing is too much."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from driftline.collectors.aws.api.client import Account, enabled_regions
from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.permissions import SETTING_OUT, actions_of, reader_policy
from driftline.collectors.aws.reread.resource import ResourceReader
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.shapes import service_model
from driftline.collectors.aws.sweep.collect import sweep
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.collectors.base import Emitted
from driftline.pipeline.model import Snapshot, Sweep
from tests.collectors.answers import by_hand
from tests.collectors.moto import Moto, furnish
from tests.collectors.test_again import wish
from tests.collectors.test_read import event_of


def whole() -> list[Sweep]:
    """A sweep of everything, where everything is; then one of each type read again."""
    wanted = CollectOptions(regions=["us-east-1"], types=ANSWERED, requests_per_second=5_000)
    read: dict[str, Snapshot] = {}

    def keep(record: Emitted) -> None:
        if isinstance(record, Snapshot):
            read.setdefault(record.type, record)

    headers = sweep(wanted, {}, keep)
    again = ResourceReader(wanted)
    for snapshot in read.values():
        again.one(wish(snapshot))
    return headers


def actions_by_event(kind: Kind) -> dict[str, str]:
    """A row's calls as botocore's events name them, and the IAM action of each."""
    out = {}
    for service, operation, action in kind.calls():
        alone = kind.model_copy(update={"one": None, "details": [], "complete": [], "tags": None, "listing": kind.listing.model_copy(update={"service": service, "operation": operation, "action": action, "under": None})})  # fmt: skip
        out[event_of(service, operation)] = actions_of(alone)[0]
    return out


def test_a_sweep_makes_the_calls_that_the_policy_allows_and_no_other(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(moto)
    made: set[str] = set()
    plain = Account.client

    def noted(self: Account, service: str, region: str) -> Any:
        client = plain(self, service, region)
        client.meta.events.register(
            "before-call", lambda event_name, **_: made.add(event_name.partition(".")[2])
        )
        return client

    monkeypatch.setattr(Account, "client", noted)
    caller = Organization(None, None, None, 5_000, 4)
    assert enabled_regions(caller.enter(caller.account, "none"), "us-east-1")
    assert whole()
    names: dict[str, str] = {"ec2.DescribeRegions": "ec2:DescribeRegions"}
    for type_ in ANSWERED:
        names |= actions_by_event(kinds()[type_])
    assert made == names.keys()
    by_hand_only = {a for t in kinds().keys() - set(ANSWERED) for a in actions_of(kinds()[t])}
    allowed = set(reader_policy()["Statement"][0]["Action"])
    assert {names[event] for event in made} | by_hand_only == allowed
    assert set(SETTING_OUT) <= allowed


def reader(moto: Moto, policy: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a user with this policy alone."""
    iam = moto.client("iam")
    iam.create_user(UserName="reader")
    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}  # fmt: skip


ANSWERED = [type_ for type_ in kinds() if not by_hand(type_)]
"""The types that the simulated AWS can answer for."""
MOTOS_OWN = ["s3:ListBucket", "monitoring:DescribeAlarms", "monitoring:ListTagsForResource", "batch:describejobdefinitions"]  # fmt: skip
"""What the simulated AWS asks for where AWS asks for s3:GetBucketPublicAccessBlock and cloudwatch:…; it tells cases apart."""
UNSIGNED = ("SignatureDoesNotMatch", ": Unknown: ")
"""The simulated AWS computes another signature than AWS for the paths of some REST services, and refuses ours."""


def test_with_exactly_the_policy_a_sweep_is_complete(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(moto)
    policy = reader_policy()
    policy["Statement"][0]["Action"] = [*policy["Statement"][0]["Action"], *MOTOS_OWN]
    for name, value in reader(moto, policy).items():
        monkeypatch.setenv(name, value)
    moto.post("reset-auth", b"0")
    found = whole()
    assert {h.scope.type for h in found} == set(ANSWERED)
    told = [h for h in found if not any(u in (h.reason or "") for u in UNSIGNED)]
    refused = {kinds()[h.scope.type].service for h in found if h not in told}
    assert all(service_model(s).metadata["protocol"].startswith("rest") for s in refused)
    # nor can it check what it has of S3's account level, and the details of some other REST services
    codes = {(kinds()[h.scope.type].service, u.code) for h in told for u in h.unread}
    assert {code for _, code in codes} <= {"403", "Unknown"}
    assert {service for service, _ in codes} <= {
        "guardduty",
        "macie2",
        "s3",
        "s3control",
        "securityhub",
    }
    assert {h.scope.type for h in told if not h.unread and h.status != "complete"} == set()


def test_with_an_action_less_it_is_not(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated AWS does enforce: some actions are taken away, one by one."""
    furnish(moto)
    policy = reader_policy()
    for name, value in reader(moto, policy).items():
        monkeypatch.setenv(name, value)
    iam, statement = moto.client("iam"), policy["Statement"][0]
    needless = []
    for action in ("iam:ListUsers", "sqs:GetQueueAttributes", "kms:GetKeyPolicy", "s3:GetBucketAcl"):  # fmt: skip
        less = statement | {"Action": [a for a in statement["Action"] if a != action]}
        moto.post("reset-auth", b"100000000")
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps(policy | {"Statement": [less]}))  # fmt: skip
        moto.post("reset-auth", b"0")
        kinds_of = [k.type for k in kinds().values() if action in actions_of(k)]
        told = sweep(CollectOptions(regions=["us-east-1"], types=kinds_of, requests_per_second=5_000), {}, lambda _: None)  # fmt: skip
        if {h.status for h in told} == {"complete"}:
            needless.append(action)
    assert needless == []
