"""A sweep where AWS is slow, denies, forgets or breaks off: what is told, and what is never claimed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from driftline.collectors.aws.api.client import Account
from driftline.collectors.aws.api.errors import NotOffered
from driftline.collectors.aws.sweep.collect import sweep
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.collectors.base import Emitted, PreviousSweep
from driftline.collectors.sweep.engine import in_shard
from driftline.pipeline.model import Gone, Snapshot, Sweep, SweepUids, Swept
from tests.collectors.gate import CUT, Answer, Asked, Gate, gate
from tests.collectors.moto import MASTER, Moto, organization

FIFTH = datetime(2026, 1, 1, tzinfo=UTC)
QUEUE, USER, BUCKET, GROUP = "AWS::SQS::Queue", "AWS::IAM::User", "AWS::S3::Bucket", "AWS::EC2::SecurityGroup"  # fmt: skip
DENIED = Answer(403, "AccessDenied")


class Told:
    """What a sweep said."""

    def __init__(
        self, options: CollectOptions, known: Mapping[str, PreviousSweep] | None = None
    ) -> None:
        self.records: list[Emitted] = []
        self.headers = sweep(options, known or {}, self.records.append)
        self.snapshots = [r for r in self.records if isinstance(r, Snapshot)]
        self.read = {s.uid for s in self.snapshots if s.config}
        self.gone = {s.uid for s in self.snapshots if s.deleted}
        self.hidden = {s.uid: s.unread[0] for s in self.snapshots if [u.part for u in s.unread] == ["*"]}  # fmt: skip

    def status(self, type_: str = "", account: str = "") -> list[tuple[str, str]]:
        """Region and status of the scopes of a type or account."""
        return [(h.scope.region, h.status) for h in self.headers if type_ in h.scope.type and account in h.scope.account]  # fmt: skip

    def known(self) -> dict[str, PreviousSweep]:
        """What the next sweep knows, as the topic keeps it."""
        out: dict[str, PreviousSweep] = {}
        for record in self.records:
            if isinstance(record, SweepUids):
                known = out.setdefault(record.scope.key, PreviousSweep())
                known.uids.update(record.uids)
                known.pages.add(record.page)
            elif isinstance(record, Sweep):
                out.setdefault(record.scope.key, PreviousSweep()).completed_at = record.completed_at
        return out


def options(*types: str, **more: Any) -> CollectOptions:
    few: dict[str, Any] = {"regions": ["us-east-1"], "requests_per_second": 5_000, "concurrency": 8}
    return CollectOptions(types=types, **few | more)


@pytest.fixture
def door(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    with gate(moto.url) as mine:
        monkeypatch.setenv("AWS_ENDPOINT_URL", mine.url)
        yield mine


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client meant to wait before it tried again; it doesn't."""
    taken: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", taken.append)
    return taken


def queues(moto: Moto, count: int, region: str = "us-east-1") -> set[str]:
    client = moto.client("sqs", region)
    for number in range(count):
        client.create_queue(QueueName=f"q{number}")
    return {f"arn:aws:sqs:{region}:{MASTER}:q{number}" for number in range(count)}


@pytest.mark.parametrize("throttled", [Answer(429, "ThrottlingException"), Answer(400, "Throttling"), Answer(503, "SlowDown")])  # fmt: skip
def test_a_throttled_sweep_reads_everything(
    moto: Moto, door: Gate, naps: list[float], throttled: Answer
) -> None:
    wanted = queues(moto, 20)
    seen = Counter[str]()

    def every_third(asked: Asked) -> Answer | None:
        seen["all"] += 1
        return throttled if seen["all"] % 3 == 0 and asked.service == "sqs" else None

    door.fault = every_third
    told = Told(options(QUEUE))
    assert told.read == wanted
    assert told.status() == [("us-east-1", "complete")]
    assert len(naps) >= 10
    assert max(naps) <= 20
    assert len(set(naps)) > len(naps) / 2, "without jitter all come back at once"


def test_what_stays_throttled_is_unread_and_not_denied(
    moto: Moto, door: Gate, naps: list[float]
) -> None:
    wanted = queues(moto, 3)
    door.fault = lambda asked: Answer(429, "ThrottlingException") if asked.operation == "ListQueueTags" else None  # fmt: skip
    told = Told(options(QUEUE))
    assert told.read == wanted
    assert {(u.part, u.reason) for s in told.snapshots for u in s.unread} == {("tags", "throttled")}
    assert told.status() == [("us-east-1", "partial")]
    assert "ThrottlingException" in (told.headers[0].reason or "")
    assert max(Counter(a.body for a in door.asked if a.operation == "ListQueueTags").values()) == 7


def test_the_budget_of_an_account_is_kept(moto: Moto, door: Gate) -> None:
    queues(moto, 30)
    Told(options(QUEUE, requests_per_second=30))
    times = sorted(a.at for a in door.asked if a.service == "sqs")
    assert len(times) == 61
    # a second's worth may come at once, and no more than the rate after that
    assert times[-1] - times[0] >= (61 - 30) / 30 - 0.2
    for number, at in enumerate(times):
        assert sum(at <= t < at + 0.5 for t in times[number:]) <= 30 + 15 + 3


def test_a_denied_account_is_a_denied_sweep_and_not_the_end(moto: Moto, door: Gate) -> None:
    members = organization(moto, 2)
    shut, entered = members
    for account in members:
        moto.client("sqs", account=account).create_queue(QueueName="q")
    uid = f"arn:aws:sqs:us-east-1:{shut}:q"

    def no_entry(asked: Asked) -> Answer | None:
        return DENIED if asked.operation == "AssumeRole" and shut in asked.body else None

    door.fault = no_entry
    known = {f"aws/{shut}/us-east-1/{QUEUE}": PreviousSweep({uid}, FIFTH)}
    told = Told(options(QUEUE, USER, accounts=["all"], external_id="agreed", role_name="Reader"), known)  # fmt: skip
    assert told.status(QUEUE, shut) == [("us-east-1", "denied")]
    assert told.status(USER, shut) == [("global", "denied")]
    assert {s for _, s in told.status(account=entered) + told.status(account=MASTER)} == {"complete"}  # fmt: skip
    assert told.read == {f"arn:aws:sqs:us-east-1:{entered}:q"}
    assert told.gone == set()
    assert {u: (why.reason, why.code) for u, why in told.hidden.items()} == {uid: ("denied", "AccessDenied")}  # fmt: skip
    assert told.known()[f"aws/{shut}/us-east-1/{QUEUE}"].uids == {uid}
    assert told.known()[f"aws/{shut}/us-east-1/{QUEUE}"].completed_at == FIFTH
    roles = [a.body for a in door.asked if a.operation == "AssumeRole"]
    assert len(roles) == 2, "its own account is entered by nobody's role"
    assert all("ExternalId=agreed" in body and "role%2FReader" in body for body in roles)
    assert all(s.organization for s in told.snapshots if s.config)


def test_a_region_that_is_shut_is_denied_by_itself(moto: Moto, door: Gate) -> None:
    wanted = queues(moto, 2)
    queues(moto, 2, "eu-west-1")
    door.fault = lambda a: DENIED if (a.service, a.region) == ("sqs", "eu-west-1") else None
    told = Told(options(QUEUE, regions=["us-east-1", "eu-west-1"]))
    assert sorted(told.status()) == [("eu-west-1", "denied"), ("us-east-1", "complete")]
    assert told.read == wanted


def test_where_not_even_regions_may_be_asked_the_known_ones_are_denied(
    moto: Moto, door: Gate
) -> None:
    door.fault = lambda a: Answer(403, "UnauthorizedOperation") if a.operation == "DescribeRegions" else None  # fmt: skip
    known = {f"aws/{MASTER}/eu-west-1/{QUEUE}": PreviousSweep({"arn:aws:sqs:eu-west-1:1:q"})}
    told = Told(options(QUEUE, GROUP, regions=[]), known)
    assert told.status(QUEUE) == [("eu-west-1", "denied")]
    assert told.status(GROUP) == [("*", "denied")]
    assert list(told.hidden) == ["arn:aws:sqs:eu-west-1:1:q"]


def test_half_a_list_says_nothing_of_the_other_half(moto: Moto, door: Gate) -> None:
    iam = moto.client("iam")
    for name in ("ann", "bob"):
        iam.create_user(UserName=name)
    key = f"aws/{MASTER}/global/{USER}"
    whole = Told(options(USER))
    assert {h.status for h in whole.headers} == {"complete"}
    iam.delete_user(UserName="bob")
    door.fault = lambda a: DENIED if a.operation == "ListUsers" else None
    denied = Told(options(USER), whole.known())
    assert denied.status() == [("global", "denied")]
    assert denied.gone == set()
    assert set(denied.hidden) == whole.read == denied.known()[key].uids
    assert denied.headers[0].completed_at == whole.headers[0].completed_at
    door.fault = lambda _: None
    again = Told(options(USER), denied.known())
    assert again.gone == {f"arn:aws:iam::{MASTER}:user/bob"}
    assert Told(options(USER), again.known()).gone == set(), "told once"


def test_global_services_are_read_once(moto: Moto, door: Gate) -> None:
    moto.client("iam").create_user(UserName="ann")
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="here")
    s3.create_bucket(Bucket="there", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    told = Told(options(USER, BUCKET, GROUP, regions=["us-east-1", "eu-west-1", "eu-west-2"]))
    assert door.count("ListUsers") == 1
    assert told.status(USER) == told.status(BUCKET) == [("global", "complete")]
    assert len(told.status(GROUP)) == 3
    assert {s.name: s.region for s in told.snapshots if s.type == BUCKET} == {"here": "us-east-1", "there": "eu-west-1"}  # fmt: skip
    asked = {a.region for a in door.asked if a.operation.startswith("GET /there?")}
    assert asked == {"us-east-1", "eu-west-1"}, "where it lies is asked at home, all else where it lies"  # fmt: skip


def test_what_vanishes_between_the_list_and_its_details_is_unread_and_not_gone(
    moto: Moto, door: Gate
) -> None:
    queues(moto, 2)
    first = Told(options(QUEUE))
    door.fault = lambda a: Answer(400, "AWS.SimpleQueueService.NonExistentQueue") if a.operation == "GetQueueAttributes" and "q1" in a.body else None  # fmt: skip
    told = Told(options(QUEUE), first.known())
    assert {s.name: [u.code for u in s.unread] for s in told.snapshots} == {"q0": [], "q1": ["AWS.SimpleQueueService.NonExistentQueue"]}  # fmt: skip
    assert told.gone == set()
    assert told.status() == [("us-east-1", "partial")]
    moto.client("sqs").delete_queue(QueueUrl=moto.client("sqs").get_queue_url(QueueName="q1")["QueueUrl"])  # fmt: skip
    door.fault = lambda _: None
    assert Told(options(QUEUE), told.known()).gone == {f"arn:aws:sqs:us-east-1:{MASTER}:q1"}


@pytest.mark.parametrize(
    "end", [CUT, Answer(403, "ExpiredToken"), Answer(500, "InternalError")], ids=str
)
@pytest.mark.parametrize("after", [0, 10])
def test_a_sweep_that_breaks_off_deletes_nothing(
    moto: Moto, door: Gate, naps: list[float], end: Answer, after: int
) -> None:
    """The endpoint goes away, or the credentials expire: before the list, or between two resources."""
    wanted = queues(moto, 12)
    first = Told(options(QUEUE))
    answered = Counter[str]()

    def breaks(asked: Asked) -> Answer | None:
        if asked.service != "sqs":
            return None
        answered["sqs"] += 1
        return end if answered["sqs"] > after else None

    door.fault = breaks
    told = Told(options(QUEUE), first.known())
    assert told.status() == [("us-east-1", "partial")]
    assert told.headers[0].reason
    assert told.gone == set()
    assert told.headers[0].completed_at == first.headers[0].completed_at
    said = {s.uid for s in told.snapshots}
    assert said == wanted, "what was not read is said again, as unread"
    assert any(s.unread for s in told.snapshots)
    assert told.known().keys() == first.known().keys()
    assert next(iter(told.known().values())).uids == wanted


def test_shards_share_all_accounts_out() -> None:
    accounts = [f"{number:012d}" for number in range(2_000)]
    for count in (1, 2, 3, 7):
        mine = [[a for a in accounts if in_shard(a, (i, count))] for i in range(count)]
        assert sorted(a for part in mine for a in part) == accounts
        assert min(map(len, mine)) > len(accounts) / count / 2


def test_a_shard_sweeps_its_own_accounts(moto: Moto) -> None:
    members = [MASTER, *organization(moto, 3)]
    swept = [
        {h.scope.account for h in Told(options(QUEUE, accounts=["all"], shard=(i, 2))).headers}
        for i in range(2)
    ]
    assert swept[0] | swept[1] == set(members)
    assert swept[0] & swept[1] == set()


def test_an_excluded_account_is_not_entered_and_not_taken_for_gone(moto: Moto) -> None:
    first, second, third = organization(moto, 3)
    everything = Told(options(QUEUE, accounts=["all"]))
    told = Told(options(QUEUE, accounts=["all"], excluded=[second]), everything.known())
    assert {h.scope.account for h in told.headers} == {MASTER, first, third}
    assert not any(isinstance(record, Gone) for record in told.records)


def test_a_region_without_the_service_is_read_and_empty_unless_something_was_there(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues(moto, 2)
    before = Told(options(QUEUE)).known()

    def nobody(*_: object) -> Iterator[Any]:
        raise NotOffered(service="sqs", region="us-east-1")
        yield

    monkeypatch.setattr(Account, "pages", nobody)
    first = Told(options(QUEUE))
    assert first.status() == [("us-east-1", "complete")]
    assert not any(isinstance(one, Swept) for one in first.records), "an event may have told of one"
    told = Told(options(QUEUE), before)
    assert told.status() == [("us-east-1", "partial")]
    assert told.gone == set()
    assert len(told.hidden) == 2
