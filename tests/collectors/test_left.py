"""Accounts, regions and types that are out of what is watched: said only by a list that was answered whole."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from driftline.collectors.aws.sweep.accounts import Accounts
from driftline.collectors.base import Emitted, PreviousSweep, ScopeSweep, known_from
from driftline.collectors.batches import Batches
from driftline.collectors.sweep import departed
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.model import CloudAccount, Gone, Scope, Sweep, Swept
from driftline.pipeline.records.topics import CONTROL, PARTITIONS, SNAPSHOTS, SWEEPS
from driftline.pipeline.settings.blocks import Settings
from tests.collectors.gate import Answer, Asked, Gate, gate
from tests.collectors.moto import MASTER, Moto, organization
from tests.collectors.test_sweep import QUEUE, Told, options

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=3), NOW - timedelta(hours=6)
A, B = "111111111111", "222222222222"


@pytest.fixture
def door(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    with gate(moto.url) as mine:
        monkeypatch.setenv("AWS_ENDPOINT_URL", mine.url)
        yield mine


def known(
    account: str = A, region: str = "us-east-1", type_: str = QUEUE, **more: Any
) -> dict[str, PreviousSweep]:
    return {
        f"aws/{account}/{region}/{type_}": PreviousSweep(
            {f"arn:aws:sqs:{region}:{account}:q"}, **more
        )
    }


@pytest.mark.parametrize(
    ("listed", "its", "ours", "times", "ends"),
    [
        ([B], "o-1", "o-1", NEW, True),
        ([A, B], "o-1", "o-1", NEW, False),
        ([B], "o-2", "o-1", OLD, False),  # another organization's collector sweeps it
        ([B], "o-1", None, OLD, False),  # which organization this is was not told
        ([], "o-1", "o-1", OLD, False),
        ([B], None, "o-1", OLD, True),  # nobody has swept it for days
        ([B], None, "o-1", NEW, False),  # somebody does
        ([B], None, "o-1", None, False),
    ],
)
def test_an_account_is_gone_when_its_own_organization_lists_it_no_more(
    listed: list[str], its: str | None, ours: str | None, times: datetime | None, ends: bool
) -> None:
    found = known(organization=its, completed_at=times, swept_at=times)
    told = list(departed.accounts("aws", found, listed, ours, [A], NOW))
    assert [(gone.account, gone.reason) for gone in told] == [(A, "account_gone")] * ends


def test_an_account_of_another_shard_is_left_to_it() -> None:
    found = known(organization="o-1") | known(B, organization="o-1")
    assert [gone.account for gone in departed.accounts("aws", found, ["3"], "o-1", [B], NOW)] == [B]


def test_a_region_that_is_enabled_no_more_is_gone() -> None:
    found = (
        known()
        | known(region="global")
        | known(region="*")
        | known(region="eu-west-1")
        | known(B, "eu-west-3")
    )
    told = list(departed.regions("aws", found, A, ["us-east-1"], NOW))
    assert [(gone.account, gone.region, gone.reason) for gone in told] == [
        (A, "eu-west-1", "region_disabled")
    ]
    assert list(departed.regions("aws", found, A, [], NOW)) == []


def test_a_type_that_no_row_reads_is_gone() -> None:
    old = known(type_="AWS::Old::Thing", swept_at=OLD)
    told = list(departed.types("aws", known() | old, A, [QUEUE], NOW))
    assert [(gone.type, gone.reason) for gone in told] == [("AWS::Old::Thing", "type_removed")]


def test_a_type_that_another_version_still_reads_is_not() -> None:
    """Two collectors while one is upgraded: the one that does not know the type must not end what the other finds."""
    of = "AWS::New::Thing"
    both = known(type_=of, swept_at=OLD) | known(A, "eu-west-1", of, swept_at=NEW)
    assert list(departed.types("aws", both, A, [QUEUE], NOW)) == []


def gones(told: Told) -> set[tuple[str, str | None, str | None, str]]:
    return {(g.account, g.region, g.type, g.reason) for g in told.records if isinstance(g, Gone)}


def test_a_sweep_of_the_organization_says_who_left_it(moto: Moto, door: Gate) -> None:
    (member,) = organization(moto, 1)
    id_ = moto.client("organizations").describe_organization()["Organization"]["Id"]
    before = (
        known(A, organization=id_) | known(B, organization="o-other") | known(member, "xx-gone-1", organization=id_)
        | known(MASTER, "us-east-1", "AWS::Old::Thing", organization=id_)
    )  # fmt: skip
    told = Told(options(QUEUE, accounts=["all"], regions=[]), before)
    assert gones(told) == {
        (A, None, None, "account_gone"),
        (member, "xx-gone-1", None, "region_disabled"),
    }
    assert {h.organization for h in told.headers} == {id_}
    assert gones(Told(options(QUEUE, accounts=[member]), before)) == set(), "it was not asked for"
    assert gones(Told(options(QUEUE, accounts=["all"], shard=(0, 1)), before)) == {
        (A, None, None, "account_gone")
    }


def test_a_suspended_account_is_not_gone(
    moto: Moto, door: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    (member,) = organization(moto, 1)
    id_ = moto.client("organizations").describe_organization()["Organization"]["Id"]
    moto.client("organizations").close_account(AccountId=member)
    told = Told(options(QUEUE, accounts=["all"]), known(member, organization=id_))
    assert gones(told) == set()
    assert member not in {h.scope.account for h in told.headers}


@pytest.mark.parametrize("operation", ["ListAccounts", "DescribeOrganization"])
def test_a_failed_call_ends_nothing(moto: Moto, door: Gate, operation: str) -> None:
    organization(moto, 1)
    id_ = moto.client("organizations").describe_organization()["Organization"]["Id"]

    def fails(asked: Asked) -> Answer | None:
        return Answer(403, "AccessDeniedException") if asked.operation == operation else None

    door.fault = fails
    records: list[Emitted] = []
    try:
        records += Told(options(QUEUE, accounts=["all"]), known(A, organization=id_)).records
    except UserError:
        assert operation == "ListAccounts"
    assert not [r for r in records if isinstance(r, Gone)]


class Producer:
    """Keeps what is produced; a flush is a line."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any, Any]] = []

    def produce(self, topic: str, value: Any, on_delivery: Any, **more: Any) -> None:
        self.said.append((topic, more.get("key"), value))

    def poll(self, _: float) -> int:
        return 0

    def flush(self, _: float) -> int:
        self.said.append(("flush", None, None))
        return 0


def test_the_stream_hears_of_a_sweep_after_all_that_it_read() -> None:
    out = Producer()
    scope = Scope(provider="aws", account=A, region="us-east-1", type=QUEUE)
    old = known(A) | known(B)
    old[f"aws/{B}/us-east-1/{QUEUE}"].pages = {0, 1}
    batches = Batches(Settings(), old, out=out)
    batches(Gone(provider="aws", account=B, reason="account_gone", at=NOW))
    for record in ScopeSweep(scope, "s", NEW, old[scope.key]).end(NOW):
        batches(record)
    batches.close()
    topics = [topic for topic, _, _ in out.said]
    words = [orjson.loads(value) for topic, _, value in out.said if topic == CONTROL.name]
    assert len([word for word in words if "swept" in word]) == PARTITIONS
    assert len([word for word in words if "gone" in word]) == PARTITIONS
    first = topics.index(CONTROL.name)
    assert topics.index(SNAPSHOTS.name) < topics.index("flush") < topics.index(SWEEPS.name) < first
    assert topics[first - 1] == "flush"
    ended = {key for topic, key, value in out.said if topic == SWEEPS.name and value is None}
    key = f"aws/{B}/us-east-1/{QUEUE}".encode()
    assert ended == {key, key + b"#0", key + b"#1"}
    assert "flush" in topics[first : len(topics) - 1 - topics[::-1].index(SWEEPS.name)], (
        "said before it is dropped"
    )


def test_a_sweep_says_that_its_list_was_whole() -> None:
    scope = Scope(provider="aws", account=A, region="us-east-1", type=QUEUE)
    whole, broken = (ScopeSweep(scope, "s", NEW, PreviousSweep()) for _ in range(2))
    broken.failed("throttled", "Throttling", "ListQueues")
    assert [type(r) for r in whole.end(NOW)][-2:] == [Swept, Sweep]
    assert not [r for r in broken.end(NOW) if isinstance(r, Swept)]


def test_headers_remember_whose_list_named_the_account() -> None:
    scope = Scope(provider="aws", account=A, region="us-east-1", type=QUEUE)
    header = list(ScopeSweep(scope, "s", NEW, PreviousSweep(), "o-1").end(NOW))[-1]
    assert isinstance(header, Sweep)
    found, _, _ = known_from([(scope.key.encode(), header.encode())])
    assert (found[scope.key].organization, found[scope.key].swept_at) == ("o-1", NEW)
    later = list(ScopeSweep(scope, "t", NOW, found[scope.key]).end(NOW))[-1]
    assert isinstance(later, Sweep)
    assert later.organization is None, "this one was by no list"


def test_an_account_that_goes_on_by_itself_is_not_gone() -> None:
    """It leaves the organization, and a collector of its own sweeps it, for now only some of its types."""
    found = known(organization="o-1", swept_at=NEW, completed_at=NEW)
    scope = Scope(provider="aws", account=A, region="us-east-1", type=QUEUE)
    own = list(ScopeSweep(scope, "s", NEW, found[scope.key]).end(NEW))[-1]
    assert isinstance(own, Sweep)
    after, _, _ = known_from([(scope.key.encode(), own.encode())])
    both = after | known(region="eu-west-1", organization="o-1", swept_at=OLD, completed_at=OLD)
    assert list(departed.accounts("aws", both, [B], "o-1", [A], NOW)) == []
    later = list(departed.accounts("aws", both, [B], "o-1", [A], NEW + timedelta(days=3)))
    assert [gone.account for gone in later] == [A], "it has ended too"


def test_whose_list_names_an_account() -> None:
    found = Accounts(B, "o-1", known={A: CloudAccount(kind="account", id=A)})
    assert found.named(A) == "o-1"
    assert found.named("333333333333") is None
    assert Accounts(A, "o-1", known=found.known).named(A) is None
