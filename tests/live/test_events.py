"""Changes, from the call to the finding that names who did it: real Kafka, simulated AWS, every program a process."""

import gzip
import io
import json
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.collectors.base import known_from
from driftline.pipeline.demo.audit import Recorder, bus_to_queue, ec2_sets, to_bus, user
from driftline.pipeline.kafka.client import read_all, read_compacted
from driftline.pipeline.local import kafka
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.records.topics import CHANGES, CONTROL, DEADLETTER, DRIFT, SWEEPS
from tests.collectors.events.samples import event
from tests.collectors.moto import MASTER, Moto, running
from tests.live.programs import Site

pytestmark = pytest.mark.live

RULE = "aws-ec2-security-group-no-ssh-from-internet"
REGION = "us-east-1"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with running(tmp_path_factory.mktemp("moto"), images=False) as moto:
        yield moto


class Stage:
    """A site on topics of its own, its queue, and people who call AWS and are recorded."""

    def __init__(self, site: Site, aws: Moto) -> None:
        self.site, self.aws = site, aws
        self.sqs = aws.client("sqs")
        self.queue = bus_to_queue(aws.client("events"), self.sqs)
        self.events = aws.client("events")
        self.records: list[dict[str, Any]] = []

    def person(self, name: str, copies: int = 1) -> Any:
        """EC2 as somebody calls it, every event on the bus so many times."""
        session = self.aws.session()
        put = to_bus(self.events)

        def sink(record: dict[str, Any]) -> None:
            self.records.append(record)
            for _ in range(copies):
                put(record)

        Recorder(session, MASTER, user(name, MASTER), sink)
        return session.client("ec2", region_name=REGION, endpoint_url=self.aws.url)

    def drifts(self) -> list[dict[str, Any]]:
        """The last word on every drift."""
        found = [orjson.loads(m.value()) for m in read_all(self.site.kafka, DRIFT.name)]
        return list({drift["id"]: drift for drift in found}.values())

    def opened(self, uid: str) -> dict[str, Any] | None:
        """The finding of a group that is open to the world."""
        return next(
            (f for f in self.site.findings().values()
             if f["resource"]["uid"] == uid and f["rule"]["id"] == RULE and f["status"] == "open"),
            None,
        )  # fmt: skip

    def empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        got = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return all(int(got[name]) == 0 for name in names)


@pytest.fixture
def stage(own: kafka.KafkaServer, aws: Moto, tmp_path: Path) -> Iterator[Stage]:
    aws.post("reset")
    more: dict[str, Any] = {"rules": {"builtin": True}, "aws": {"requests_per_second": 500, "regions": [REGION]}}  # fmt: skip
    with Site(tmp_path, {"bootstrap_servers": own.bootstrap}, **more) as site:
        site.env |= aws.env | {"DRIFTLINE_REDACTION__KEY": "k" * 32}
        mine = Stage(site, aws)
        settings = json.dumps([{"url": mine.queue}])
        site.env |= {"DRIFTLINE_AWS__EVENTS__QUEUES": settings, "DRIFTLINE_AWS__EVENTS__VISIBILITY": "5s",
                     "DRIFTLINE_AWS__EVENTS__SESSION_TIMEOUT": "6s"}  # fmt: skip
        yield mine


SSH = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


def group(client: Any, name: str) -> tuple[str, str]:
    """A new security group: its id and uid."""
    id = client.create_security_group(GroupName=name, Description=name)["GroupId"]
    return id, f"arn:aws:ec2:{REGION}:{MASTER}:security-group/{id}"


def start(stage: Stage) -> tuple[Any, Any]:
    """A worker, and both collectors: (events, reads)."""
    worker = stage.site.worker()
    events = stage.site.launch("collect", "aws", "events")
    reads = stage.site.launch("collect", "aws", "reads")
    wait_until(worker.ready, 60, worker.child, "the worker")
    return events, reads


def test_who_opened_the_group_is_in_the_finding_within_seconds(stage: Stage) -> None:
    events, _ = start(stage)
    ann, bob = stage.person("ann", copies=2), stage.person("bob")
    id, uid = group(ann, "door")
    wait_until(lambda: any(d["uid"] == uid for d in stage.drifts()), 60, events, "the creation")
    bob.authorize_security_group_ingress(GroupId=id, IpPermissions=SSH)
    wait_until(lambda: stage.opened(uid) is not None, 60, events, "the finding")
    finding = stage.opened(uid)
    assert finding is not None
    assert finding["attribution"] == "attributed"
    assert finding["actor"]["id"] == f"arn:aws:iam::{MASTER}:user/bob"
    drift = next(d for d in stage.drifts() if d["id"] == finding["drift"])
    assert (drift["part"], drift["found_by"]) == ("group", "event")
    assert drift["candidates"][0]["action"] == "AuthorizeSecurityGroupIngress"
    made = next(d for d in stage.drifts() if d["uid"] == uid and d["part"] == "*")
    assert made["actor"]["id"] == f"arn:aws:iam::{MASTER}:user/ann"

    bob.revoke_security_group_ingress(GroupId=id, IpPermissions=SSH)
    wait_until(lambda: stage.opened(uid) is None, 60, events, "the end of the finding")
    ann.delete_security_group(GroupId=id)

    def deleted() -> bool:
        mine = [f for f in stage.site.findings().values() if f["resource"]["uid"] == uid]
        return bool(mine) and all(f["reason"] == "resource_deleted" for f in mine)

    wait_until(deleted, 60, events, "the end of the group")
    gone = max((d for d in stage.drifts() if d["uid"] == uid and d["part"] == "*"), key=lambda d: d["at"])  # fmt: skip
    assert gone["changes"][0]["op"] == "remove"
    assert gone["actor"]["id"] == f"arn:aws:iam::{MASTER}:user/ann"
    wait_until(stage.empty, 30, events, "the end of the queue")
    ids = [record["eventID"] for record in stage.records]
    assert changed(stage) >= set(ids)


def test_a_killed_collector_loses_nothing_and_poison_is_buried(stage: Stage) -> None:
    worker = stage.site.worker()
    ann = stage.person("ann")
    groups = [group(ann, f"g{n}") for n in range(12)]
    stage.sqs.send_message(QueueUrl=stage.queue, MessageBody="no JSON, password=hunter2222")
    events, reads = (
        stage.site.launch("collect", "aws", "events"),
        stage.site.launch("collect", "aws", "reads"),
    )
    wait_until(worker.ready, 60, worker.child, "the worker")
    for number, (id, _) in enumerate(groups):
        ann.authorize_security_group_ingress(GroupId=id, IpPermissions=SSH)
        if number == 5:
            events.kill()
            reads.kill()
            events = stage.site.launch("collect", "aws", "events")
            reads = stage.site.launch("collect", "aws", "reads")
    wait_until(lambda: all(stage.opened(uid) for _, uid in groups), 150, events, "every finding")
    for _, uid in groups:
        finding = stage.opened(uid)
        assert finding is not None
        assert finding["actor"]["id"] == f"arn:aws:iam::{MASTER}:user/ann"
    letters = list(read_all(stage.site.kafka, DEADLETTER.name))
    assert [dict(m.headers())["stage"] for m in letters] == [b"collect"]
    assert b"hunter2222" not in (letters[0].value() or b"")

    events.signal(signal.SIGTERM)
    began = time.monotonic()
    wait_until(lambda: events.code is not None, 10, None, "the collector's end")
    assert time.monotonic() - began < 5
    assert events.code == 0
    ticks = [orjson.loads(m.value())["tick"] for m in read_all(stage.site.kafka, CONTROL.name)]
    assert {tick["source"] for tick in ticks} == {"aws.eventbridge"}


def test_what_reaches_a_whole_account_is_read_again_as_a_whole(stage: Stage) -> None:
    reads = stage.site.launch("collect", "aws", "reads")
    stage.aws.client("s3").create_bucket(Bucket="one")
    blocked = event("PutAccountPublicAccessBlock", "s3", recipientAccountId=MASTER, requestParameters={"accountId": MASTER})  # fmt: skip
    to_bus(stage.events)(blocked)
    assert stage.site.run("collect", "aws", "events", "--once").code == 0
    wanted = {f"aws/{MASTER}/global/AWS::S3::Bucket"}

    def swept() -> bool:
        known, headers, _ = known_from(read_compacted(stage.site.kafka, SWEEPS.name).items())
        return wanted <= headers.keys() and all(known[key].uids for key in wanted)

    wait_until(swept, 60, reads, "the sweep of the scope")


def to_log(
    client: Any, bucket: str, account: str, region: str = "us-east-1"
) -> Callable[[dict[str, Any]], None]:
    """As a log file in S3, one for each event."""

    def put(record: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        key = f"AWSLogs/{account}/CloudTrail/{region}/{now:%Y/%m/%d}/{account}_CloudTrail_{region}_{now:%Y%m%dT%H%MZ}_{uuid.uuid4().hex[:16]}.json.gz"  # fmt: skip
        body = gzip.compress(json.dumps({"Records": [ec2_sets(record)]}).encode())
        client.put_object(Bucket=bucket, Key=key, Body=io.BytesIO(body))

    return put


def test_what_happened_before_is_filled_in(stage: Stage) -> None:
    s3 = stage.aws.client("s3")
    s3.create_bucket(Bucket="trail")
    session = stage.aws.session()
    records: list[dict[str, Any]] = []
    put = to_log(s3, "trail", MASTER)

    def sink(record: dict[str, Any]) -> None:
        records.append(record)
        put(record)

    Recorder(session, MASTER, user("ann", MASTER), sink)
    ec2 = session.client("ec2", region_name=REGION, endpoint_url=stage.aws.url)
    for number in range(5):
        group(ec2, f"old{number}")
    s3.put_object(Bucket="trail", Key=f"AWSLogs/{MASTER}/CloudTrail/{REGION}/2026/01/01/bad.json.gz", Body=b"nonsense")  # fmt: skip
    s3.put_object(Bucket="trail", Key=f"AWSLogs/{MASTER}/CloudTrail-Digest/{REGION}/2026/01/01/d.json.gz", Body=b"x")  # fmt: skip
    before = changed(stage)
    told = stage.site.run("collect", "aws", "events", "--backfill", "s3://trail/AWSLogs/")
    assert (told.code, "6 log files, 5 events, 5 changes, 1 not understood" in told.out) == (3, True), told.out  # fmt: skip
    told = stage.site.run("collect", "aws", "events", "--backfill", "s3://trail/AWSLogs/", "--from", "2026-11-01")  # fmt: skip
    assert (told.code, "5 log files" in told.out) == (0, True), told.out
    assert changed(stage) - before == {record["eventID"] for record in records}
    assert stage.site.run("collect", "aws", "events", "--backfill", "s3://nowhere/").code == 2
    assert stage.site.run("collect", "aws", "events", "--backfill", "nowhere").code == 2


def changed(stage: Stage) -> set[str]:
    """The ids of the changes in Kafka."""
    told = [orjson.loads(m.value()) for m in read_all(stage.site.kafka, CHANGES.name)]
    return {one["id"] for batch in told for one in (batch if isinstance(batch, list) else [batch])}
