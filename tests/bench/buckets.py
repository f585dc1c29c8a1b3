"""What the benches read: buckets of about 3 kB each, good and bad, the same for the same number."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson

from driftline.pipeline.model import Part, Snapshot
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import partition

TYPE = "AWS::S3::Bucket"
BATCH_BYTES = 400_000
SWITCHES = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def uid(number: int) -> str:
    return f"arn:aws:s3:::bench-bucket-{number:07d}"


def config(number: int, round_: int = 0) -> dict[str, Any]:
    """A bucket's parts, all of them. Another round gives another configuration, open or closed to the public."""
    chance = random.Random(number)
    owner = {"DisplayName": f"team-{number % 40}", "ID": f"{chance.getrandbits(256):064x}"}
    closed = (number + round_) % 2 == 0
    statements = [
        {
            "Sid": f"Team{n}", "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{111111111111 + n}:role/reader-{n}", f"arn:aws:iam::{111111111111 + n}:role/writer-{n}"]},
            "Action": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
            "Resource": [uid(number), f"{uid(number)}/team-{n}/*"],
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-example1234"}},
        }
        for n in range(5)
    ]  # fmt: skip
    statements.append({
        "Sid": "OnlyTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [uid(number), f"{uid(number)}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })  # fmt: skip
    return {
        "bucket": {"Name": uid(number).rpartition(":")[2], "CreationDate": "2025-03-01T09:30:00.000000Z", "BucketRegion": "eu-west-1"},
        "public_access_block": dict.fromkeys(SWITCHES, closed),
        "account_public_access_block": None,
        "encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": f"arn:aws:kms:eu-west-1:111111111111:key/{chance.getrandbits(64):016x}"}, "BucketKeyEnabled": True}]},
        "versioning": {"Status": "Enabled"} if number % 3 else {},
        "policy": {"Version": "2012-10-17", "Statement": statements},
        "acl": {"Owner": owner, "Grants": [{"Grantee": owner | {"Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]},
        "logging": {"TargetBucket": "bench-logs", "TargetPrefix": f"{number}/{round_ or ''}"},
        "ownership": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "lifecycle": [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 30}}],
    }  # fmt: skip


def snapshot(number: int, at: datetime, round_: int = 0) -> bytes:
    """The JSON of one reading."""
    parts = config(number, round_)
    name = uid(number).rpartition(":")[2]
    return codec.encode_snapshot(Snapshot(
        uid=uid(number), type=TYPE, provider="aws", organization="o-example1234", account="111111111111",
        region="eu-west-1", name=name, captured_at=at, config=parts, sweep="00000000-0000-0000-0000-000000000000",
        tags={"env": "prod", "team": f"team-{number % 40}", "cost-center": "4711"}, incarnation="2025-03-01T09:30:00.000000Z",
        parts=[Part(name=part, captured_at=at + timedelta(milliseconds=n)) for n, part in enumerate(parts)],
    ))  # fmt: skip


def sweep(
    numbers: range, at: datetime, changed: float, round_: int
) -> Iterator[tuple[int, bytes, int]]:
    """Micro-batches of one sweep, as the collector writes them: partition, value, elements. Of `changed` (a share)
    the configuration is another than in the round before."""
    chance = random.Random(round_)
    waiting: dict[int, list[bytes]] = {}
    sizes: dict[int, int] = {}
    for number in numbers:
        home = partition(uid(number))
        one = snapshot(number, at, round_ if chance.random() < changed else 0)
        waiting.setdefault(home, []).append(one)
        sizes[home] = sizes.get(home, 0) + len(one)
        if sizes[home] > BATCH_BYTES:
            batch = waiting.pop(home)
            sizes.pop(home)
            yield home, codec.encode_batch(batch), len(batch)
    for home, batch in waiting.items():
        yield home, codec.encode_batch(batch), len(batch)


def size() -> int:
    """Bytes of one configuration."""
    return len(orjson.dumps(config(1)))
