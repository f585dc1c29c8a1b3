"""A queue's reader: deleted only when it is safe, left when it may pass, buried when it is poison; how far it has come."""

import gzip
import io
import json
import threading
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.sources.dispatch import EventDispatcher
from driftline.collectors.aws.sources.lookup import Lookup
from driftline.collectors.aws.sources.name_index import SweepIndex
from driftline.collectors.aws.sources.queue import LATER, Queue, read
from driftline.collectors.events.watermark import drained
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Change, Read, Snapshot
from tests.collectors.events.samples import ACCOUNT, LOG, OPENED, bridged, item_message, stored

REDACTOR = Redactor(b"k" * 32)


class Sqs:
    """A queue's client: what was asked of it."""

    def __init__(self, *bodies: str) -> None:
        self.waiting = [{"MessageId": f"m{n}", "ReceiptHandle": f"r{n}", "Body": body,
                         "Attributes": {"SentTimestamp": str((1000 + n) * 1000)}} for n, body in enumerate(bodies)]  # fmt: skip
        self.deleted: list[str] = []
        self.visible: dict[str, int] = {}

    def receive_message(self, **_: Any) -> dict[str, Any]:
        out, self.waiting = self.waiting[:10], self.waiting[10:]
        return {"Messages": out}

    def delete_message_batch(self, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        return {}

    def change_message_visibility_batch(self, Entries: list[dict[str, Any]], **_: Any) -> None:
        self.visible |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}


class Sent:
    """A sender that keeps what it is given."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.all_changes: list[Change] = []
        self.all_reads: list[Read] = []
        self.snapshots: list[Snapshot] = []
        self.buried: list[tuple[str, bytes]] = []

    def changes(self, found: Any) -> None:
        self.all_changes += found

    def reads(self, found: Any) -> None:
        self.all_reads += found

    def snapshot(self, found: Snapshot) -> None:
        self.snapshots.append(found)

    def bury(self, _: str, why: str, body: bytes) -> None:
        self.buried.append((why, body))

    def flush(self) -> None:
        if self.fails:
            raise OSError("Kafka is away")


def run(sqs: Sqs, sent: Sent, files: dict[str, bytes] | None = None, now: float = 5000.0) -> Queue:
    @contextmanager
    def open_(object_: Any) -> Any:
        if files is None or object_.key not in files:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")
        yield io.BytesIO(files[object_.key])

    reader = ChangeReader(REDACTOR, "eventbridge", NoNames())
    hearer = EventDispatcher(sent, reader, REDACTOR, open_)  # type: ignore[arg-type]
    queue = Queue(sqs, "http://queue", now=lambda: now)
    read(queue, sent, hearer, threading.Event(), once=True)  # type: ignore[arg-type]
    return queue


def test_a_message_is_deleted_once_its_changes_and_wishes_are_safe() -> None:
    sqs, sent = Sqs(json.dumps(bridged(OPENED))), Sent()
    queue = run(sqs, sent)
    assert [c.action for c in sent.all_changes] == ["AuthorizeSecurityGroupIngress"]
    assert [r.uid for r in sent.all_reads] == [sent.all_changes[0].uid]
    assert sqs.deleted == ["r0"]
    assert queue.until == 5000.0


def test_without_kafka_everything_is_given_back() -> None:
    sqs = Sqs(json.dumps(bridged(OPENED)), "poison")
    with pytest.raises(OSError, match="away"):
        run(sqs, Sent(fails=True))
    assert sqs.deleted == []
    assert sqs.visible == {"r0": 0, "r1": 0}


def test_poison_is_buried_without_its_secrets_and_deleted() -> None:
    sqs, sent = Sqs("password=hunter2222 is no JSON"), Sent()
    run(sqs, sent)
    assert sqs.deleted == ["r0"]
    assert "not JSON" in sent.buried[0][0]
    assert b"hunter2222" not in sent.buried[0][1]


def test_a_bad_record_among_good_ones_is_buried_alone() -> None:
    sqs, sent = Sqs(json.dumps({"Records": [OPENED, {"eventName": "X", "eventTime": "never"}]})), Sent()  # fmt: skip
    run(sqs, sent)
    assert len(sent.all_changes) == 1
    assert len(sent.buried) == 1
    assert sqs.deleted == ["r0"]


def test_what_fails_for_a_while_is_left_and_the_others_go_on() -> None:
    sqs, sent = Sqs(json.dumps(stored()), json.dumps(bridged(OPENED))), Sent()
    run(sqs, sent)
    assert sqs.deleted == ["r1"]
    assert sqs.visible == {"r0": LATER}


def test_a_log_file_is_read_and_a_config_item_too() -> None:
    log = gzip.compress(json.dumps({"Records": [OPENED, OPENED | {"eventID": "other"}]}).encode())
    sqs, sent = Sqs(json.dumps(stored()), json.dumps(item_message())), Sent()
    run(sqs, sent, {LOG: log})
    assert len(sent.all_changes) == 2
    assert len(sent.all_reads) == 1  # one resource: one wish
    assert [s.uid.rpartition("/")[2] for s in sent.snapshots] == ["vol-1"]
    assert sqs.deleted == ["r0", "r1"]


def test_an_item_of_a_type_without_a_mapping_asks_for_a_reading() -> None:
    item = item_message()
    item["configurationItem"] |= {"resourceType": "AWS::KMS::Key", "ARN": "arn:aws:kms:eu-west-1:111111111111:key/k"}  # fmt: skip
    sqs, sent = Sqs(json.dumps(item)), Sent()
    run(sqs, sent)
    assert [(r.type, r.uid) for r in sent.all_reads] == [("AWS::KMS::Key", "arn:aws:kms:eu-west-1:111111111111:key/k")]  # fmt: skip


def test_a_backlog_says_how_old_it_is() -> None:
    sqs = Sqs(*[json.dumps(bridged(OPENED))] * 3)
    queue = Queue(sqs, "http://queue", now=lambda: 5000.0)
    queue.receive()
    assert queue.until == 1000.0
    assert drained(queue, Queue(Sqs(), "http://other"))() == 0.0


def test_what_is_under_way_stays_ours() -> None:
    sqs = Sqs("a", "b")
    queue = Queue(sqs, "http://queue", 7)
    messages = queue.receive()
    queue.extend()
    assert sqs.visible == {"r0": 7, "r1": 7}
    queue.delete(messages[:1])
    sqs.visible.clear()
    queue.extend()
    assert sqs.visible == {"r1": 7}


# Names


def test_names_of_what_sweeps_have_seen() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/team/deploy"
    secrets = [
        f"arn:aws:secretsmanager:r:{ACCOUNT}:secret:{name}-AbC12d" for name in ("db", "other")
    ]
    index = SweepIndex(lambda: {f"aws/{ACCOUNT}/global/AWS::IAM::Role": {role}, f"aws/{ACCOUNT}/r/AWS::SecretsManager::Secret": set(secrets)})  # fmt: skip
    assert index.uid("AWS::IAM::Role", ACCOUNT, "global", "deploy") == role
    assert index.uid("AWS::IAM::Role", "222222222222", "global", "deploy") is None
    assert index.uid("AWS::SecretsManager::Secret", ACCOUNT, "r", "db") == secrets[0]


def test_a_name_that_two_have_names_nobody() -> None:
    roles = {f"arn:aws:iam::{ACCOUNT}:role/{path}/deploy" for path in "ab"}
    index = SweepIndex(lambda: {f"aws/{ACCOUNT}/global/AWS::IAM::Role": roles})
    assert index.uid("AWS::IAM::Role", ACCOUNT, "global", "deploy") is None


# Lookups


class Trail:
    """CloudTrail's lookup of an account."""

    id = "111111111111"

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.page_list, self.asked = list(pages), list[dict[str, Any]]()

    def pages(self, service: str, region: str, operation: str, params: dict[str, Any]) -> Any:
        self.asked.append(params)
        yield from ({"Events": page} for page in self.page_list)


def test_a_lookup_tells_each_event_once() -> None:
    page = [{"EventId": "1", "CloudTrailEvent": json.dumps(OPENED)}, {"EventId": "2", "CloudTrailEvent": "broken"}]  # fmt: skip
    trail = Trail(page, page)
    lookup = Lookup(trail, "eu-west-1")  # type: ignore[arg-type]
    first_, second_ = lookup.records(lambda _: None)
    assert first_ == OPENED
    assert isinstance(second_, Malformed)  # once: it is known then
    assert list(lookup.records(lambda _: None)) == []
    first, second = trail.asked
    assert second["StartTime"] < first["EndTime"] < second["EndTime"]
    assert lookup.until == second["EndTime"].timestamp()
