"""How fast AWS is asked: never faster than a bucket gives, slower once AWS throttles, and back to full speed after calm."""

import threading
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.collectors.aws.api.pacing import CALM, SLOWEST, CallPacer, TokenBucket
from driftline.collectors.aws.api.rates import OTHERS, RATES, CallRate, rate
from driftline.collectors.aws.row import kinds
from driftline.collectors.aws.shapes import service_model
from driftline.collectors.base import SweepStopped
from tests.collectors.gate import Answer, Asked, Gate
from tests.collectors.moto import Moto
from tests.collectors.test_sweep import QUEUE, Told, door, options, queues  # noqa: F401 - a fixture


@settings(deadline=None)
@given(st.lists(st.floats(0, 2), max_size=60), st.floats(1, 100), st.integers(1, 50))
def test_never_more_than_the_burst_and_what_has_filled(gaps: list[float], speed: float, burst: int) -> None:  # fmt: skip
    """In every stretch of time."""
    now, bucket = 0.0, TokenBucket(CallRate(speed, burst), 0.0)
    sent = []
    for gap in gaps:
        now += gap
        sent.append(now + bucket.take(now))
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            if sent[last] >= sent[first]:
                assert last - first + 1 <= burst + speed * (sent[last] - sent[first]) + 1 + 1e-6


def test_a_throttled_bucket_halves_once_and_comes_back() -> None:
    bucket = TokenBucket(CallRate(40, 100), 0.0)
    for number in range(10):  # those that were under way
        bucket.throttled(1.0 + number / 100)
    assert bucket.rate == 20
    assert [bucket.take(1.1) for _ in range(5)][-1] > 0, "the burst is gone"
    for second in range(3, 40, 2):
        bucket.throttled(float(second))
    assert bucket.rate == SLOWEST
    at = 40.0
    while bucket.rate < 40:
        at += CALM
        bucket.take(at)
    assert at < 200
    assert bucket.rate == 40


def test_limits_are_by_region_and_service_and_by_action_where_aws_has_them_so() -> None:
    pace = CallPacer(None, threading.Event(), lambda: 0.0)
    stopped = threading.Event()
    stopped.set()
    for _ in range(int(RATES["lambda"].burst)):
        pace.wait("lambda", "eu-west-1", "ListFunctions")
    pace.wait("lambda", "eu-west-1", "GetPolicy")
    pace.wait("lambda", "us-east-1", "ListTags")
    pace._stop = stopped  # who would have to wait is sent away
    with pytest.raises(SweepStopped):
        pace.wait("lambda", "eu-west-1", "ListTags")
    assert rate("ec2", "DescribeVpcs")[0] != rate("ec2", "DescribeVolumes")[0]
    assert rate("rds", "DescribeDBInstances") == ("rds", OTHERS)


def test_a_budget_is_over_all_services() -> None:
    began, pace = time.monotonic(), CallPacer(50, threading.Event())
    for number in range(75):
        pace.wait(("ec2", "s3", "iam")[number % 3], "eu-west-1", f"Describe{number}")
    assert time.monotonic() - began >= 0.45


def test_every_rate_is_of_a_service_and_an_action_that_there_are() -> None:
    services = {kind.service for kind in kinds().values()} | {"sts"}
    for name, row in RATES.items():
        service, _, action = name.partition(".")
        assert service in services, name
        assert not action or action in service_model(service).operation_names
        assert row.per_second >= SLOWEST
        assert row.burst >= 1


def test_who_is_throttled_asks_slower_and_reads_all(moto: Moto, door: Gate) -> None:  # noqa: F811
    """A server that takes ten of an action's calls a second."""
    wanted = queues(moto, 60)
    recent: list[float] = []

    def fault(asked: Asked) -> Answer | None:
        if asked.operation != "ListQueueTags":
            return None
        recent[:] = [at for at in recent if at > asked.at - 1]
        if len(recent) >= 10:
            return Answer(400, "ThrottlingException")
        recent.append(asked.at)
        return None

    door.fault = fault
    told = Told(options(QUEUE, requests_per_second=None))
    assert told.read == wanted
    assert told.status() == [("us-east-1", "complete")]
    tries = Counter(a.body for a in door.asked if a.operation == "ListQueueTags")
    assert sum(tries.values()) < 4 * 60
