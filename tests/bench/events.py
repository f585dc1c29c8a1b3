"""Change events: how long from a queue to the finding that names who did it, and how many the core takes.

The latency is of 100 changes of a security group in a simulated AWS, one at a time: from the event's arrival in the queue
(the simulated bus puts it there within the call) to the document in Elasticsearch, by realtime GET. Collectors, worker
and sink are processes. What the simulated AWS needs to answer the reading is in it, and told beside it."""

import json
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from elasticsearch import NotFoundError

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.demo.audit import Recorder, bus_to_queue, to_bus, user
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.local.packages import cache
from driftline.pipeline.local.process import Child, wait_until
from driftline.pipeline.model import Actor, Change, finding_id
from driftline.pipeline.records import codec, topics
from driftline.pipeline.rulebook import load
from driftline.sinks.elasticsearch.render import ALIAS
from tests.bench.latency import Line
from tests.collectors.moto import MASTER, Moto, running

RULE, REGION = "aws-ec2-security-group-no-ssh-from-internet", "us-east-1"
CHANGES, PATIENCE = 100, 60.0
SSH = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
UIDS, EVENTS = 500, 20_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> dict[str, Any]:
    """Milliseconds p50 and p99, those of the simulated AWS's own answer, and events a second through the core."""
    out: dict[str, Any] = {"core_events_per_s": core()}
    folder = TemporaryDirectory(prefix="bench-", dir=cache(), ignore_cleanup_errors=True)
    with folder as name, running(Path(name), images=False) as moto:
        line = Line(Path(name))
        try:
            return out | latency(line, moto, Path(name))
        finally:
            line.close()


def core() -> float:
    """Changes of resources that are known."""
    return through([_change(n) for n in range(EVENTS)])


def through(changes: Sequence[Change], watch: DetectionEngine | None = None) -> float:
    """Events a second through the core, in micro-batches of a hundred, bytes in to rows out."""
    store: dict[bytes, bytes | None] = {}
    partition = Partition(0, store.get, load(), watch=watch)
    every = [change.encode() for change in changes]
    values = [codec.encode_batch(every[n : n + 100]) for n in range(0, len(every), 100)]
    began = time.thread_time()
    for offset, value in enumerate(values):
        partition.apply(topics.CHANGES.name, value, offset)
        store.update(partition.take().rows)
    return len(changes) / (time.thread_time() - began)


def _change(number: int) -> Change:
    uid = f"arn:aws:s3:::bench-{number % UIDS:05d}"
    return Change(
        id=str(number), uid=uid, type="AWS::S3::Bucket", provider="aws", account="1", region="eu-west-1", kind="update",
        action="PutBucketPolicy", actor=Actor(id="arn:aws:iam::1:user/ann", type="user"), outcome="success",
        occurred_at=START + timedelta(seconds=number), request={"bucketName": uid, "bucketPolicy": {"Version": "2012-10-17"}},
        raw={"eventName": "PutBucketPolicy", "userAgent": "x" * 1500},
    )  # fmt: skip


def latency(line: Line, moto: Moto, folder: Path) -> dict[str, Any]:
    queue = bus_to_queue(moto.client("events"), moto.client("sqs"))
    env = line.env | moto.env | {
        "DRIFTLINE_AWS__EVENTS__QUEUES": json.dumps([{"url": queue}]), "DRIFTLINE_REDACTION__KEY": "k" * 32,
        "DRIFTLINE_AWS__REQUESTS_PER_SECOND": "500",
    }  # fmt: skip
    for name in ("events", "reads"):
        program = [sys.executable, "-m", "driftline.pipeline", "collect", name]
        line.children.append(Child(program, folder / f"{name}.txt", env))
    session = moto.session()
    Recorder(session, MASTER, user("ann", MASTER), to_bus(moto.client("events")))
    ec2 = session.client("ec2", region_name=REGION, endpoint_url=moto.url)
    group = ec2.create_security_group(GroupName="bench", Description="bench")["GroupId"]
    id = finding_id(RULE, f"arn:aws:ec2:{REGION}:{MASTER}:security-group/{group}")
    wait_until(lambda: _document(line, id) is not None, 60, None, "the group")
    times = [_once(line, ec2, group, id, opening=n % 2 == 0) for n in range(CHANGES + 4)][4:]
    asked = []
    for _ in range(20):
        began = time.perf_counter()
        ec2.describe_security_groups(GroupIds=[group])
        asked.append((time.perf_counter() - began) * 1000)
    return {
        "p50_ms": statistics.median(times), "p99_ms": statistics.quantiles(times, n=100)[98], "changes": CHANGES,
        "simulated_answer_ms": statistics.median(asked),
    }  # fmt: skip


def _document(line: Line, id: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = line.es.get(index=ALIAS, id=id)["_source"]["driftline"]
    except NotFoundError:
        return None
    return found


def _once(line: Line, ec2: Any, group: str, id: str, *, opening: bool) -> float:
    """Milliseconds until the document shows the change, and of an opening who made it."""
    call = ec2.authorize_security_group_ingress if opening else ec2.revoke_security_group_ingress
    call(GroupId=group, IpPermissions=SSH)
    began = time.perf_counter()
    while True:
        found = _document(line, id) or {}
        if opening and found.get("status") == "open" and found.get("actor", {}).get("name") == "ann":  # fmt: skip
            break
        if not opening and found.get("status") == "resolved":
            break
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError("\n".join(child.tail() for child in line.children))
        time.sleep(0.002)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
