"""From what a collector reads to what a rule says of a secret in plain text: the value itself never shows."""

import base64
from typing import Any

import pytest

from driftline.collectors.redact import Redactor
from driftline.pipeline.rulebook.secrets import holds_secret, secrets

OURS = Redactor(b"k" * 32)
PASSWORD = "Zq9hunter22"
KEY = "AK" + "IA" + "ABCDEFGHIJKLMNOP"


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("config", "paths", "said"),
    [
        ({"Variables": {"DB_PASSWORD": PASSWORD, "MODE": "fast"}}, ["p.Variables"], ["DB_PASSWORD"]),
        ({"Variables": {"URL": f"postgres://a:{PASSWORD}@db/x"}}, ["p.Variables"], ["password in URL in URL"]),
        ({"environment": [{"name": "DB_PASSWORD", "value": PASSWORD}]}, ["p.environment.value"], ["DB_PASSWORD"]),
        ({"environment": [{"name": "A", "value": KEY}, {"name": "DB_PASSWORD", "value": PASSWORD}]}, ["p.environment.value"], ["AWS access key id in A", "DB_PASSWORD"]),
        ({"command": ["app", "--db-password", PASSWORD]}, [], ["db-password in command"]),
        ({"command": ["sh", "-c", f"app --password={PASSWORD}"]}, [], ["password option in command"]),
        ({"UserData": base64_of(f"#!/bin/sh\nexport DB_PASSWORD={PASSWORD}\n")}, ["p.UserData"], ["DB_PASSWORD in UserData"]),
        ({"content": f'{{"a": {{"password": "{PASSWORD}"}}}}'}, [], ["password"]),
        ({"buildspec": f"env:\n  variables:\n    API_TOKEN: {PASSWORD}\n"}, [], ["API_TOKEN in buildspec"]),
        ({"Outputs": [{"OutputKey": "DbPassword", "OutputValue": PASSWORD}]}, [], ["DbPassword"]),
        ({"fields": [{"key": "*password", "stringValue": PASSWORD}]}, [], ["*password"]),
        ({"tags": {"a": 1}, "x": [{"Key": "k", "Value": f"token={PASSWORD}"}]}, [], ["token in k"]),
    ],
)  # fmt: skip
def test_a_secret_is_told_by_its_name(
    config: dict[str, Any], paths: list[str], said: list[str]
) -> None:
    read = OURS.config({"p": config}, paths)["p"]
    assert holds_secret(read)
    assert secrets(read, "p") == said
    assert PASSWORD not in str(secrets(read))


@pytest.mark.parametrize("value", [
    "", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:db-AbCdEf", "arn:aws:ssm:eu-west-1:111111111111:parameter/db/password",
    "{{resolve:secretsmanager:db:SecretString:password}}", "{{resolve:ssm-secure:/db/password:1}}", "${DB_PASSWORD}", "/prod/db/password",
    "<password>", "changeme", "****", "xxxxxxxx", "none", "true",
])  # fmt: skip
def test_a_reference_or_a_placeholder_is_none(value: str) -> None:
    config = {"Variables": {"DB_PASSWORD": value}, "environment": [{"name": "DB_PASSWORD", "value": value}], "secrets": [{"name": "DB_PASSWORD", "valueFrom": value}]}  # fmt: skip
    assert not holds_secret(OURS.config({"p": config}, ["p.Variables", "p.environment.value"]))


@pytest.mark.parametrize("type_", ["SECRETS_MANAGER", "PARAMETER_STORE", "SecureString"])
def test_the_name_of_a_secret_is_none(type_: str) -> None:
    for label in ("name", "Name"):
        config = {"v": [{label: "DB_PASSWORD", "value": "db-password", "type": type_}]}
        assert not holds_secret(OURS.config({"p": config}, ["p.v.value"]))
        assert holds_secret(
            OURS.config({"p": {"v": [config["v"][0] | {"type": "PLAINTEXT"}]}}, ["p.v.value"])
        )


def test_what_is_redacted_by_its_place_alone_is_none() -> None:
    config = {"Variables": {"MODE": "fast", "STAGE": "prod"}, "UserData": base64_of("#!/bin/sh\necho hello\n")}  # fmt: skip
    read = OURS.config({"p": config}, ["p.Variables"])
    assert "fast" not in str(read)
    assert not holds_secret(read)
    assert secrets(read) == []
