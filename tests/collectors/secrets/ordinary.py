"""Ordinary values under their real names: AWS's own examples and enumerations, recorded answers, and usual kinds of values."""

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import orjson

from driftline.collectors.aws.row import kinds
from tests.collectors.secrets.made import ALNUM, Maker

Named = tuple[str, str]
BOTOCORE = Path(botocore.__file__).parent / "data"
RECORDED = Path(__file__).parents[1] / "recorded"
SECRET = frozenset({"masteruserpassword", "password", "authtoken", "newpassword", "oldpassword", "secretstring", "sessiontoken",
                    "secretaccesskey", "clientsecret", "plaintext", "adminpassword", "sharedsecret", "secretbinary", "userdata"})  # fmt: skip
"""Names of values in AWS's examples that stand for a secret."""


def leaves(value: Any, name: str = "") -> Iterator[Named]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, name)
    elif isinstance(value, str):
        yield name, value


def _examples() -> Iterator[Named]:
    for path in sorted(BOTOCORE.glob("*/*/examples-1.json")):
        for calls in orjson.loads(path.read_bytes()).get("examples", {}).values():
            for call in calls:
                yield from leaves([call.get("input"), call.get("output")])


def _enumerations() -> Iterator[Named]:
    """Values that a field of a service may have; the first of each."""
    from botocore.loaders import Loader

    loader = Loader()
    for service in sorted({kind.service for kind in kinds().values()}):
        model = loader.load_service_model(service, "service-2")
        for shape in model["shapes"].values():
            for member, told in shape.get("members", {}).items():
                values = model["shapes"][told["shape"]].get("enum")
                if values:
                    yield member, values[0]


def _recorded() -> Iterator[Named]:
    for path in sorted(RECORDED.glob("*.json")):
        for answer in orjson.loads(path.read_bytes()):
            body = (
                answer.get("body") or answer.get("answer") if isinstance(answer, dict) else answer
            )
            try:
                yield from leaves(json.loads(body) if isinstance(body, str) else body)
            except ValueError:
                continue


def _usual() -> Iterator[Named]:
    for turn in range(60):
        m = Maker(turn)
        digest = hashlib.sha256(m.an(20).encode()).hexdigest()
        account, region = m.of("123456789", 12), "eu-west-1"
        yield from [
            ("KmsKeyArn", f"arn:aws:kms:{region}:{account}:key/{m.uuid()}"), ("KmsKeyId", m.uuid()), ("KeyId", f"alias/app-{turn}"),
            ("SecretArn", f"arn:aws:secretsmanager:{region}:{account}:secret:prod/db-{m.an(6)}"),
            ("NextToken", base64.b64encode(m.an(60).encode()).decode()), ("KeyName", f"ops-{turn}"), ("ClientRequestToken", m.uuid()),
            ("PartitionKey", f"user#{turn}"), ("AttributeName", "token"), ("S3Key", f"builds/{m.hex(8)}/app.zip"), ("SORT_KEY", "created_at"),
            ("ImageDigest", f"sha256:{digest}"), ("image", f"{account}.dkr.ecr.{region}.amazonaws.com/app@sha256:{digest}"), ("CodeSha256", base64.b64encode(bytes.fromhex(digest)).decode()),
            ("commit", m.hex(40)), ("ETag", f'"{m.hex(32)}"'), ("InstanceId", "i-0" + m.hex(16)), ("VolumeId", "vol-0" + m.hex(16)), ("RevisionId", m.uuid()),
            ("ScheduleExpression", "cron(0 18 ? * MON-FRI *)"), ("CreateDate", f"2026-0{turn % 9 + 1}-12T08:{turn:02}:00Z"), ("Email", f"ann{turn}@acme.org"),
            ("url", f"https://app-{turn}.internal.acme.org:8443/health?full=1"), ("Endpoint", f"db-{turn}.{m.of(ALNUM, 12).lower()}.{region}.rds.amazonaws.com:5432"),
            ("CertificateBody", "-----BEGIN CERTIFICATE-----\n" + m.an(64) + "\n" + m.an(64) + "\n-----END CERTIFICATE-----"),
            ("PublicKey", "ssh-rsa AAAAB3NzaC1yc2E" + m.an(200) + " ann@host"), ("certificateAuthorityData", base64.b64encode(m.an(300).encode()).decode()),
            ("HostedZoneId", "Z" + m.of("ABCDEFGHIJ0123456789", 13)), ("UserId", "AIDA" + m.of("ABCDEFGHIJ234567", 16)), ("RoleId", "AROA" + m.of("ABCDEFGHIJ234567", 16)),
            ("valueFrom", f"arn:aws:ssm:{region}:{account}:parameter/prod/db/password"), ("SECRET_NAME", "prod/db"), ("TOKEN_URL", "https://idp.acme.org/oauth2/token"),
            ("Description", f"Rotates the secret of team {turn} every 30 days"), ("PasswordPolicy", "strict"), ("TagKey", "cost-center"), ("PUBLIC_KEY", m.an(40)),
            ("CidrIp", f"10.{turn}.0.0/16"), ("Ipv6", f"2001:db8::{turn:x}"), ("PATH", "/usr/local/bin:/usr/bin"), ("JAVA_OPTS", "-Xmx512m -Dfile.encoding=UTF-8"),
            ("LOG_LEVEL", "info"), ("BUCKET", f"acme-logs-{m.of('abcdef', 6)}"), ("TABLE_NAME", "Orders"), ("CACHE_KEY", "orders:v1"), ("REDIS_URL", "redis://cache.internal:6379/0"),
            ("DATABASE_HOST", f"db{turn}.acme.internal"), ("command", "python -m app --port 8080 --workers 4"), ("policy", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'),
        ]  # fmt: skip


@cache
def ordinary() -> tuple[Named, ...]:
    """All of them, each once."""
    found: dict[Named, None] = {}
    for source in (_recorded, _examples, _usual, _enumerations):
        found.update(
            dict.fromkeys((n, v) for n, v in source() if n and v and n.lower() not in SECRET)
        )
    return tuple(found)
