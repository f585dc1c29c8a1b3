"""Settings: every mistake at once with its place, the environment over the file, and secrets that no output holds."""

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest

from driftline.pipeline.cli import run
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.settings.blocks import examine, load_settings


def problems(text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """What is told of a file with that text, without the folder's name."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "driftline.yaml"
        file.write_text(text)
        told = examine(file, {f"DRIFTLINE_{k}": v for k, v in (env or {}).items()}).problems
        return [problem.replace(str(file), "FILE") for problem in told]


def driftline(folder: Path, *args: str, **env: str) -> tuple[int, str]:
    """A command in that folder: its exit code, and all that it says."""
    said = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")}
    with (
        patch.dict(os.environ, clean | env, clear=True),
        patch.object(sys, "argv", ["driftline", *args]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        pytest.raises(SystemExit) as end,
    ):
        run()
    return int(str(end.value.code)), said.buffer.getvalue().decode()


EVERYTHING = """\
kafka:
  bootstrap_server: a:1
  security_protocol: SASL_SSL
  sasl_mechanism: SCRAM-SHA-265
  replication: many
  ca_file: /nope
  ca_file: /nope
elasticsearch:
  url: elastic.example
  username: me
aws:
  interval: 13h
  regions: eu-west-1
worker: {session_timeout: 1s, port: 70000}
rules:
  paths: [/nope]
  overrides:
    - {rule: aws-s3-bucket-tls-onli}
clock: {interval: soon}
"""
TOLD = """\
driftline.yaml:2:21: unknown setting 'kafka.bootstrap_server' (did you mean 'bootstrap_servers'?)
driftline.yaml:4:19: kafka.sasl_mechanism: must be 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512' or 'OAUTHBEARER' (did you mean 'SCRAM-SHA-256'?)
driftline.yaml:5:16: kafka.replication: must be a whole number
driftline.yaml:7:3: 'ca_file' is defined twice (keep one of them)
driftline.yaml:7:12: kafka.ca_file: cannot be read: No such file or directory
driftline.yaml:9:8: elasticsearch.url: needs scheme, host and port (write for example https://host.example:9200)
driftline.yaml:10:13: elasticsearch.username: requires password or password_file (write one of them)
driftline.yaml:12:13: aws.interval: more than 12h (findings must be confirmed within 24 h: use 12h or less)
driftline.yaml:13:12: aws.regions: must be a list (write [one, two])
driftline.yaml:14:27: worker.session_timeout: must be 6s or more
driftline.yaml:14:37: worker.port: must be 65535 or less
driftline.yaml:19:19: clock.interval: expected a duration (for example 30s, 10m or 6h)
environment DRIFTLINE_KAFFKA__X: unknown setting 'kaffka' (did you mean 'kafka'?)
driftline.yaml:16:11: rules.paths.0: no such folder (correct it)
driftline.yaml:18:7: rules.overrides.0: no rule 'aws-s3-bucket-tls-onli' (did you mean 'aws-s3-bucket-tls-only'?)
"""


def test_config_check_tells_every_mistake_at_once(tmp_path: Path) -> None:
    (tmp_path / "driftline.yaml").write_text(EVERYTHING)
    code, said = driftline(tmp_path, "config", "check", DRIFTLINE_KAFFKA__X="1")
    assert said == "".join(f"error: {line}\n" for line in TOLD.splitlines())
    assert code == 2


def test_good_settings_are_called_good(tmp_path: Path) -> None:
    code, said = driftline(tmp_path, "config", "check")
    assert (code, said.startswith("the settings are valid; ")) == (0, True)


@pytest.mark.parametrize(
    ("text", "env", "told"),
    [
        ("kafka: {sasl_mechanism: PLAIN, sasl_username: u, sasl_password: p}", {},
         "FILE:1:25: kafka.sasl_mechanism: needs security_protocol SASL_SSL or SASL_PLAINTEXT (write it)"),
        ("kafka: {security_protocol: SASL_SSL}", {},
         "FILE:1:28: kafka.security_protocol: SASL_SSL needs sasl_mechanism (write it: PLAIN, SCRAM-SHA-512, …)"),
        ("kafka: {security_protocol: SASL_SSL, sasl_mechanism: OAUTHBEARER}", {},
         "FILE:1:54: kafka.sasl_mechanism: OAUTHBEARER needs the block oauth, or aws_iam (write its token_url and client_id, or the region of Amazon MSK)"),
        ("kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_password: p}", {},
         "FILE:1:54: kafka.sasl_mechanism: PLAIN needs sasl_username (write it)"),
        ("kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: p}", {},
         "FILE:1:54: kafka.sasl_mechanism: PLAIN needs sasl_password (write it, or sasl_password_file)"),
        ("kafka: {oauth: {token_url: 'ftp://x', client_id: me}}", {},
         "FILE:1:28: kafka.oauth.token_url: needs scheme and host (write for example https://host.example/path)"),
        ("kafka: {oauth: {client_id: me}}", {}, "FILE:1:16: kafka.oauth.token_url: is missing (write it)"),
        ("clock: {every: 5}", {}, "FILE:1:16: unknown setting in clock (known: interval, lateness)"),
        ("kafka: {bootstrap_servers: 'https://a:1'}", {},
         "FILE:1:28: kafka.bootstrap_servers: expected host:port[,host:port] (for example a:9092,b:9092)"),
        ("kafka: {ca_file: /dev/null}", {},
         "FILE:1:18: kafka.ca_file: has no effect without TLS (write security_protocol: SSL or SASL_SSL)"),
        ("kafka: {security_protocol: SSL, ca_file: /etc/passwd}", {},
         "FILE:1:42: kafka.ca_file: contains no certificates (write the path of a PEM file)"),
        ("kafka: {security_protocol: SSL, key_file: /etc/passwd}", {},
         "FILE:1:43: kafka.key_file: needs certificate_file (write the path of a PEM file)"),
        ("kafka: {security_protocol: SSL, certificate_file: /nope}", {},
         "FILE:1:51: kafka.certificate_file: cannot be read: No such file or directory"),
        ("kafka: {security_protocol: SSL, certificate_file: /etc/passwd, key_file: /etc/passwd}", {},
         "FILE:1:74: kafka.key_file: certificate and key cannot be used (check that both are PEM, belong together, and"
         " that key_password is the key's)"),
        ("elasticsearch: {url: 'https://es.example'}", {},
         "FILE:1:22: elasticsearch.url: needs scheme, host and port (write for example https://host.example:9200)"),
        ("elasticsearch: {url: 'https://u:p@es.example:9200'}", {},
         "FILE:1:22: elasticsearch.url: must not contain a user or password (use the settings for them)"),
        ("elasticsearch: {password: p}", {}, "FILE:1:27: elasticsearch.password: needs username (write it)"),
        ("elasticsearch: {api_key: k, username: u, password: p}", {},
         "FILE:1:26: elasticsearch.api_key: cannot be combined with username and password (write one of them)"),
        ("aws: {interval: true}", {}, "FILE:1:17: aws.interval: expected a duration (for example 30s, 10m or 6h)"),
        ("aws: {interval: 0s}", {}, "FILE:1:17: aws.interval: must be more than 0s"),
        ("aws: {interval: 12h1m}", {}, "FILE:1:17: aws.interval: expected a duration (for example 30s, 10m or 6h)"),
        ("aws: {interval: 43201}", {},
         "FILE:1:17: aws.interval: more than 12h (findings must be confirmed within 24 h: use 12h or less)"),
        ("", {"AWS__INTERVAL": "1d"},
         "environment DRIFTLINE_AWS__INTERVAL: aws.interval: more than 12h (findings must be confirmed within 24 h:"
         " use 12h or less)"),
        ("", {"KAFKA__SECURITY_PROTOCOL": "SASL_SSL"},
         "environment DRIFTLINE_KAFKA__SECURITY_PROTOCOL: kafka.security_protocol: SASL_SSL needs sasl_mechanism"
         " (write it: PLAIN, SCRAM-SHA-512, …)"),
        ("", {"KAFKA__OAUTH__CLIENT_ID": "me"},
         "environment DRIFTLINE_KAFKA__OAUTH__CLIENT_ID: kafka.oauth.token_url: is missing (write it)"),
        ("", {"AWS__REGIONS": "[a, b"},
         "environment DRIFTLINE_AWS__REGIONS:2:1: did not find expected … (write valid YAML 1.2; text with special characters in"
         " 'single quotes')"),
        ("", {"KAFKA": "x"},
         "environment DRIFTLINE_KAFKA: kafka: must be a block (write names and values below it, indented)"),
        ("[]", {}, "FILE:1:1: not settings (write blocks: kafka, elasticsearch, aws, rules, exceptions, drift, people, owners, detections, correlate, tickets, redaction, worker, clock,"
                   " sink, ndjson, sinks, criticality)"),
        ("rules: {overrides: [{rule: x, enabled: 2}]}", {}, "FILE:1:40: rules.overrides.0.enabled: must be true or false"),
        ("criticality: {env: {prod: x}}", {},
         "FILE:1:27: criticality.env.prod: must be 'low', 'medium', 'high' or 'critical'"),
    ],
)  # fmt: skip
def test_one_mistake_is_told_once_with_its_place(text: str, env: dict[str, str], told: str) -> None:
    assert problems(text, env) == [told]


def test_a_mistake_that_only_follows_from_another_is_not_told() -> None:
    text = "kafka: {security_protocol: SASL_SSL, sasl_mechanism: SCRAM, sasl_username: u, sasl_password_file: /nope}"
    assert [p.split(" ", 1)[1].split(":")[0] for p in problems(text)] == ["kafka.sasl_mechanism", "kafka.sasl_password_file"]  # fmt: skip


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"nope\.yaml:1:1: cannot be read: No such file or directory"
    ):
        load_settings(tmp_path / "nope.yaml", {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("6h", 21_600), ("45", 45), (" 2h ", 7200)],
)
def test_durations(text: str, seconds: float) -> None:
    assert load_settings(env={"DRIFTLINE_AWS__INTERVAL": text}).collector("aws").interval == seconds


def test_the_environment_wins_and_speaks_of_lists_blocks_and_account_numbers(
    tmp_path: Path,
) -> None:
    file = tmp_path / "driftline.yaml"
    file.write_text(
        "aws: {accounts: [123456789012, '000000000001'], regions: [x]}\nworker: {port: 1}"
    )
    found = load_settings(
        file,
        {
            "DRIFTLINE_AWS__REGIONS": "[eu-west-1, us-east-1]",
            "DRIFTLINE_WORKER__PORT": "7000",
            "DRIFTLINE_KAFKA__SASL_USERNAME": "[not a list]",
            "DRIFTLINE_RULES__OVERRIDES": "[{rule: x, accounts: ['1']}]",
            "DRIFTLINE_CRITICALITY__ENV__LIVE": "critical",
        },
    )
    assert found.collector("aws").accounts == ["123456789012", "000000000001"]
    assert (found.collector("aws").regions, found.worker.port) == (["eu-west-1", "us-east-1"], 7000)
    assert found.kafka.sasl_username == "[not a list]"
    assert found.rules.overrides[0].accounts == ["1"]
    assert found.criticality == {"env": {"live": "critical"}}


def test_an_account_number_keeps_its_zeros_in_the_environment() -> None:
    env = {"DRIFTLINE_AWS__ACCOUNTS": "[012345670123, 123456789012]"}
    assert load_settings(env=env).collector("aws").accounts == ["012345670123", "123456789012"]
