"""Login to Kafka by AWS IAM, without a broker: what a token says, when it is made anew, and what is told where none can be made."""

import asyncio
import base64
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiokafka.errors import KafkaConnectionError

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka import aws_iam
from driftline.pipeline.kafka.client import librdkafka
from driftline.pipeline.settings.blocks import AwsIam, Kafka
from driftline.pipeline.worker.credentials import IamTokens, credentials
from tests.shells.test_settings import problems

IAM = {"region": "eu-central-1"}
KAFKA: dict[str, Any] = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "aws_iam": IAM}  # fmt: skip


@pytest.fixture
def signer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials of this machine."""
    monkeypatch.setattr(aws_iam, "_made", {})
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")


def test_a_token_is_a_signed_request_to_connect(signer: None) -> None:
    config = librdkafka(Kafka.model_validate(KAFKA))
    assert (config["sasl.mechanism"], config["security.protocol"]) == ("OAUTHBEARER", "SASL_SSL")
    made, ends = config["oauth_cb"]("")
    url = urlsplit(base64.urlsafe_b64decode(made + "=" * (-len(made) % 4)).decode())
    asked = parse_qs(url.query)
    assert url.hostname == "kafka.eu-central-1.amazonaws.com"
    assert asked["Action"] == ["kafka-cluster:Connect"]
    assert asked["X-Amz-Credential"][0].startswith("AKIAIOSFODNN7EXAMPLE/")
    assert 800 < ends - time.time() <= 900


def test_without_credentials_there_is_no_token(signer: None, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    iam = AwsIam.model_validate(IAM)
    with pytest.raises(UserError, match="no AWS credentials were found"):
        aws_iam.token(iam)

    async def asked() -> None:
        await IamTokens(iam).token()

    with pytest.raises(KafkaConnectionError, match="no AWS credentials were found"):
        asyncio.run(asked())


def test_the_worker_s_token_is_kept_until_shortly_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    made, now = list[str](), 1000.0

    def token(iam: AwsIam) -> tuple[str, float]:
        made.append(f"{iam.region} {len(made)}")
        return made[-1], now + 900

    monkeypatch.setattr(aws_iam, "token", token)
    monkeypatch.setattr(time, "time", lambda: now)
    found = credentials(Kafka.model_validate(KAFKA))

    async def run() -> list[str]:
        nonlocal now
        out = list[str]()
        for at in (1000.0, 1860.0, 1880.0, 1890.0):
            now = at
            out += await asyncio.gather(found.oauth_cb.token(), found.oauth_cb.token())
        return out

    assert asyncio.run(run()) == ["eu-central-1 0"] * 4 + ["eu-central-1 1"] * 4


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("security_protocol: SASL_SSL, sasl_mechanism: OAUTHBEARER, aws_iam: {region: eu-west-1}", ""),
        ("security_protocol: SASL_SSL, sasl_mechanism: OAUTHBEARER", "kafka.sasl_mechanism: OAUTHBEARER needs the block oauth, or aws_iam"),
        ("aws_iam: {region: eu-west-1}", "kafka.aws_iam: needs sasl_mechanism OAUTHBEARER and security_protocol SASL_SSL (write both)"),
        ("security_protocol: SASL_SSL, sasl_mechanism: OAUTHBEARER, aws_iam: {region: eu-west-1}, oauth: {token_url: 'https://i/t', client_id: me}",
         "kafka.aws_iam: cannot be combined with oauth (write one of them)"),
        ("aws_iam: {}", "kafka.aws_iam.region: is missing"),
        ("aws_iam: {region: Frankfurt}", "kafka.aws_iam.region: must be an AWS region"),
        ("aws_iam: {region: eu-west-1, role_arn: kafka}", "kafka.aws_iam.role_arn: must be a role's ARN"),
    ],
)  # fmt: skip
def test_settings(block: str, told: str) -> None:
    found = problems(f"kafka: {{{block}}}")
    assert bool(found) == bool(told)
    assert told in "\n".join(found)
