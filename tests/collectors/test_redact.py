"""Secrets stay where they are: by form, by name and by place, in everything that a collector says."""

import re
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.collectors.aws.row import kinds
from driftline.collectors.redact import Redactor
from driftline.pipeline.model import Snapshot
from driftline.pipeline.records import codec
from tests.core.world import key

KEY = b"k" * 32
ours = Redactor(KEY)

FORMS = [
    "AKIAABCDEFGHIJKLMNOP", "ASIAABCDEFGHIJKLMNOP", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----", "postgres://app:hunter22@db/x", "https://u:pa55word@host/",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abcdefgh==;", "Server=x;Password=hunter22;", "Pwd=hunter22",
    "Endpoint=sb://x/;SharedAccessKeyName=r;SharedAccessKey=abcdefgh=", "ghp_" + "a1" * 18, "github_pat_" + "A1_" * 20,
    "glpat-" + "abcdefghij" * 2, "xox" + "b-1234567890-abc", "https://hooks.slack.com/" + "services/T00000000/B00000000/xyz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln", "AIza" + "A" * 35, "sk_" + "live_" + "a1b2" * 6,
    "export DB_PASSWORD=hunter22", "aws_secret_access_key = wJalrXUtnFEMI", '{"password": "hunter22"}', '{"password":"hunter22"}',
    "password: hunter22", "https://x/?token=abcdefgh",
]  # fmt: skip
NAMES = [
    "password", "Password", "dbPassword", "DB_PASSWORD", "MasterUserPassword", "passwd", "pwd", "db_pwd", "PASSPHRASE", "secret",
    "clientSecret", "client_secret", "SecretString", "apiKey", "API_KEY", "x-api-key", "secretAccessKey", "AccountKey", "private_key",
    "ConnectionString", "connection-string", "token", "authToken", "SessionToken", "GITHUB_TOKEN", "UserData", "user_data",
    "credentials", "Authorization", "db_pass", "password_1", "SECRET_VALUE",
]  # fmt: skip
HARMLESS = {
    "PasswordLastUsed": "2026-01-01T00:00:00Z", "SecretArn": "arn:aws:secretsmanager:eu-west-1:1:secret:a-b", "SecretStatus": "active",
    "AccessKeyId": "AKIAABCDEFGHIJKLMNOP", "accessKeyId": "AKIAABCDEFGHIJKLMNOP", "ClientToken": "5f1c", "HttpTokens": "required",
    "PasswordPolicy": "strict", "secret_name": "prod/db", "ApiKeySource": "HEADER", "KmsKeyId": "arn:aws:kms:eu-west-1:1:key/a",
    "Description": "rotates every secret", "Sid": "AllowSecretsManager", "secretsmanager:VersionStage": "AWSCURRENT",
    "Resource": "arn:aws:secretsmanager:eu-west-1:111111111111:secret:prod/db-AbCdEf",
}  # fmt: skip


@pytest.mark.parametrize("text", FORMS)
def test_what_has_a_secrets_form_is_replaced_wherever_it_stands(text: str) -> None:
    config = {"part": {"Description": text, "List": [{"Deep": [text]}], text: 1}}
    assert text.encode() not in _plain(ours.config(config))
    assert text not in str(ours.tags({"note": text, text: "x"}))


@pytest.mark.parametrize("name", NAMES)
def test_what_has_a_secrets_name_is_replaced(name: str) -> None:
    config = {
        "map": {name: "hunter22"},
        "list": {name: ["hunter22", ["hunter22"]]},
        "tag": [{"Key": name, "Value": "hunter22"}, {"key": name, "value": "hunter22"}],
        "environment": [{"name": name, "value": "hunter22"}],
        "parameters": [{"ParameterKey": name, "ParameterValue": "hunter22", "UsePrevious": False}],
    }
    assert b"hunter22" not in _plain(ours.config(config))
    assert "hunter22" not in str(ours.tags({name: "hunter22"}))


def test_what_is_only_about_a_secret_stays() -> None:
    """Rules read these: a redaction that blinds them would be a fault of its own."""
    whole = {"part": HARMLESS, "access_keys": [{"Status": "Active"}], "password_policy": {"MinimumPasswordLength": 14}}  # fmt: skip
    assert ours.config(whole) == whole


def test_every_documented_field_of_every_row_that_is_no_secret_stays() -> None:
    """All texts of all known shapes: which of them a name alone would redact."""
    shapes = orjson.loads((Path(__file__).parents[2] / "rules/types/aws.json").read_bytes())

    def texts(shape: Any, name: str = "") -> Any:
        if isinstance(shape, dict):
            for inner in ("list", "map"):
                if inner in shape:
                    yield from texts(shape[inner], name)
            for field, below in shape.get("fields", {}).items():
                yield from texts(below, field)
        elif shape == "string":
            yield name

    fields = {
        n for t in shapes.values() for part, s in t["parts"].items() for n in texts(s, part) if n
    }
    assert len(fields) > 100
    hidden = {name for name in fields if ours.config({"p": {name: "x"}}) != {"p": {name: "x"}}}
    assert hidden == {"MasterUserPassword", "ClientSecret", "PreSharedKey", "UserData", "credential", "secret"}  # fmt: skip


def test_a_hash_is_stable_and_hangs_on_the_key() -> None:
    value = {"password": "hunter22"}
    [one, two] = [ours.config(value), Redactor(KEY).config(value)]
    other = Redactor(b"j" * 32).config(value)
    assert one == two
    assert one["password"].keys() == {"redacted", "hash", "key_id", "kind"}
    assert one["password"]["hash"] != other["password"]["hash"]
    assert one["password"]["key_id"] != other["password"]["key_id"]
    assert one != ours.config({"password": "hunter23"})
    assert ours.mark({"a": 1, "b": 2}) == ours.mark({"b": 2, "a": 1})


def test_redacted_twice_is_redacted_once() -> None:
    """A tape that we wrote is read again: what stands there is a hash already, perhaps of another key."""
    config = {"p": {"password": "hunter22", "t": [{"Key": "pwd", "Value": "hunter22"}]}}
    once, tags = ours.config(config, ["p.password"]), ours.tags({"pwd": "hunter22"})
    other = Redactor(b"j" * 32)
    assert other.config(once, ["p.password"]) == once
    assert other.tags(tags) == tags


@pytest.mark.parametrize(
    "variables",
    [{"A": "plain"}, {"redacted": "1", "A": "plain"}, {"redacted": True, "hash": "x", "key_id": "y", "A": "plain"}],
)  # fmt: skip
def test_a_rows_paths_hide_every_value_below(variables: dict[str, Any]) -> None:
    kind = kinds()["AWS::Lambda::Function"]
    config = {"function": {"Environment": {"Variables": variables}}}
    assert b"plain" not in _plain(ours.config(config, kind.redact))


def test_a_policys_fixed_condition_stays_fixed() -> None:
    from driftline.pipeline.rulebook.aws.resource_policy import allows_public

    condition = {"StringEquals": {"lambda:EventSourceToken": "amzn1.ask.skill.1"}}
    statement = {"Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Condition": condition}
    policy = {"Statement": [statement]}
    hidden = ours.config({"policy": policy})["policy"]
    assert b"amzn1" not in _plain(hidden)
    assert not allows_public(hidden, "1")
    assert not allows_public(policy, "1")


def test_a_megabyte_costs_no_more_than_its_length() -> None:
    for piece in ("password", "a:", "://", "x://y:", "eyJa.", "-----BEGIN ", "token=", '"', "pwd ", "A" * 16, "secret:"):  # fmt: skip
        text = piece * (1_000_000 // len(piece))
        began = time.process_time()
        ours.config({"p": text})
        assert time.process_time() - began < 2, piece


def _plain(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


leaf = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=20))
documents = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
secrets = st.from_regex(r"[A-Za-z0-9+/]{12,40}", fullmatch=True).map(lambda s: "Zq9" + s)


@settings(max_examples=300, deadline=None)
@given(
    document=st.dictionaries(st.text(max_size=8), documents, max_size=3),
    secret=secrets, name=st.sampled_from(NAMES), data=st.data(),
)  # fmt: skip
def test_no_secret_leaves_in_a_snapshot(
    document: dict[str, Any], secret: str, name: str, data: Any
) -> None:
    """Put anywhere in any document, under a secret's name or in a secret's form."""
    form = data.draw(
        st.sampled_from(["{}", "[{}]", "{form}", "pair"]).map(
            lambda shape: {
                "{}": {name: secret},
                "[{}]": [{"x": {name: [secret]}}],
                "{form}": {"Description": f"see postgres://app:{secret}@db/ for more"},
                "pair": [{"Name": name, "Value": secret}],
            }[shape]
        )
    )
    places = list(_holders(document))
    holder = data.draw(st.sampled_from(range(len(places)))) if places else None
    if holder is None:
        document["put"] = form
    elif isinstance(places[holder], dict):
        places[holder]["put"] = form
    else:
        places[holder].append(form)
    snapshot = Snapshot.model_validate(
        key(0).model_dump()
        | {
            "config": ours.config({"part": document}),
            "tags": ours.tags({name: secret, "n": f"pwd={secret}"}),
        }
    )
    assert secret.encode() not in codec.encode_snapshot(snapshot)
    assert re.search(rb"redacted", codec.encode_snapshot(snapshot))


def _holders(value: Any) -> Any:
    if isinstance(value, dict | list):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from _holders(item)
