"""`coverage`: real sweeps of a simulated AWS as rows, table, JSON and metrics."""

import json
import math
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from driftline.collectors.aws.sweep.collect import sweep
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.collectors.base import PreviousSweep
from driftline.collectors.coverage import Gauges, ago, as_json, rows, table
from driftline.pipeline.cli.coverage import _address
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.model import Scope, Sweep, SweepUnread
from driftline.pipeline.ops import metrics
from tests.collectors.moto import MASTER, Moto

QUEUE, USER = "AWS::SQS::Queue", "AWS::IAM::User"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def header(
    region: str, status: str, hours: float, *, whole: float | None = None, **more: object
) -> Sweep:
    at = NOW - timedelta(hours=hours)
    done = NOW - timedelta(hours=whole) if whole is not None else None
    return Sweep.model_validate({
        "scope": Scope(provider="aws", account=MASTER, region=region, type=QUEUE), "id": "1", "started_at": at,
        "finished_at": at, "status": status, "completed_at": done, "count": 3, **more,
    })  # fmt: skip


def swept(known: dict[str, PreviousSweep] | None = None) -> list[Sweep]:
    options = CollectOptions(regions=["us-east-1"], types=[QUEUE, USER], requests_per_second=5_000)
    return sweep(options, known or {}, lambda _: None)


def test_real_sweeps_complete_partial_and_denied(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto.client("sqs").create_queue(QueueName="one")
    first = swept()
    assert [(r.type, r.status, r.healthy) for r in rows(first, datetime.now(UTC))] == [(USER, "complete", True), (QUEUE, "complete", True)]  # fmt: skip

    iam = moto.client("iam")
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    some = ["sqs:ListQueues", "sqs:GetQueueAttributes", "ec2:DescribeRegions"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": some, "Resource": "*"}],
    }
    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps(policy))
    moto.post("reset-auth", b"0")
    known = {h.scope.key: PreviousSweep(completed_at=h.completed_at) for h in first}
    user, queue = rows(swept(known), datetime.now(UTC))
    assert (user.status, user.healthy, "AccessDenied" in (user.reason or "")) == ("denied", False, True)  # fmt: skip
    assert (queue.status, queue.healthy) == ("partial", False)
    assert [(u["reason"], u["count"]) for u in queue.unread] == [("denied", 1)]
    for row, before in zip((user, queue), rows(first, datetime.now(UTC)), strict=True):
        assert row.complete_at == before.complete_at, "the last complete one is still told"


def test_rows_say_how_old_and_what_was_unread() -> None:
    unread = [SweepUnread(part="tags", reason="denied", code="AccessDenied", count=2)]
    found = rows(
        [header("b", "partial", 1, whole=30, unread=unread), header("a", "complete", 25, whole=25)],
        NOW,
    )
    assert [r.region for r in found] == ["a", "b"]
    assert [(r.age_seconds, r.complete_age_seconds, r.healthy) for r in found] == [
        (90_000, 90_000, False), (3_600, 108_000, False)]  # fmt: skip
    assert json.loads(as_json(found))[1]["unread"] == [
        {"part": "tags", "reason": "denied", "code": "AccessDenied", "count": 2}]  # fmt: skip


@pytest.mark.parametrize(("hours", "regions"), [(2, ["*", "us-east-1"]), (8, ["us-east-1"])])
def test_a_denial_of_the_whole_account_ends_when_any_of_it_was_read_again(
    hours: float, regions: list[str]
) -> None:
    found = rows([header("*", "denied", hours), header("us-east-1", "complete", 5, whole=5)], NOW)
    assert [r.region for r in found] == regions


def test_a_hostile_reason_is_shown_as_text() -> None:
    out = StringIO()
    found = rows([header("r", "denied", 1, reason="\x1b[2J[red]no[/red]\u202e")], NOW)
    Console(file=out, width=200).print(table(found))
    assert "\\x1b[2J[red]no[/red]\\u202e" in out.getvalue()
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(None, "never"), (0, "0 s"), (119, "119 s"), (120, "2 min"),
                                               (7200, "2 h"), (86_400 * 2, "2 d")])  # fmt: skip
def test_ages_for_people(seconds: float | None, text: str) -> None:
    assert ago(seconds) == text


def sample(name: str, region: str) -> float | None:
    from prometheus_client import REGISTRY

    return REGISTRY.get_sample_value(f"driftline_sweep_{name}", {"provider": "aws", "account": MASTER, "region": region, "type": QUEUE})  # fmt: skip


def test_metrics_follow_the_topic() -> None:
    now = NOW
    gauges = Gauges(lambda: now)
    good, never = header("a", "complete", 1, whole=1), header("b", "denied", 1)
    for record in (good, never):
        gauges.record(record.scope.key.encode(), record.encode())
    gauges.record(b"aws/x#0", b"a page of uids")
    gauges.record(b"aws/y", b"{")
    gauges.set()
    assert (sample("age_seconds", "a"), sample("unread", "a")) == (3600, 0)
    assert (sample("age_seconds", "b"), sample("unread", "b")) == (math.inf, 1)
    assert gauges.bad == 1
    now = NOW + timedelta(hours=1)  # nobody comes by: its age goes on
    gauges.record(never.scope.key.encode(), None)
    gauges.set()
    assert sample("age_seconds", "a") == 7200
    assert sample("age_seconds", "b") is None
    for gauge in (metrics.SWEEP_AGE, metrics.SWEEP_UNREAD):
        gauge.clear()


@pytest.mark.parametrize(("text", "both"), [("9108", ("127.0.0.1", 9108)), ("0.0.0.0:1", ("0.0.0.0", 1)), ("[::]:80", ("::", 80))])  # fmt: skip
def test_addresses(text: str, both: tuple[str, int]) -> None:
    assert _address(text) == both


@pytest.mark.parametrize("text", ["", "x", "1:y", "70000", "a:b:", "²"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(UserError):
        _address(text)
