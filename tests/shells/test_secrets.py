"""Secrets: no output holds one, wherever it stands; they come from files; what others may read is warned of."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from driftline.pipeline.settings.base import secrets_of
from driftline.pipeline.settings.blocks import examine, load_settings, settings_model
from driftline.pipeline.settings.warnings import warnings
from tests.live.certificates import Authority
from tests.shells.test_settings import driftline, problems

SECRETS = [
    ("kafka", "sasl_password"), ("kafka", "key_password"), ("kafka", "oauth", "client_secret"),
    ("elasticsearch", "password"), ("elasticsearch", "api_key"), ("elasticsearch", "key_password"), ("elasticsearch", "proxy_password"),
    ("redaction", "key"),
]  # fmt: skip
WRONG_PLACES = [
    *[(*where[:-1], f"{where[-1]}_file") for where in SECRETS],
    ("kafka",), ("kafka", "oauth"), ("kafka", "replication"), ("kafka", "security_protocol"), ("kafka", "ca_file"),
    ("kafka", "certificate_file"), ("aws", "interval"), ("aws", "regions"), ("elasticsearch", "url"),
    ("elasticsearch", "namespace"), ("rules", "overrides"), ("criticality",), ("worker", "port"),
]  # fmt: skip
SPECIAL = st.text("%*&!{}[]:#'\"\\@|>-?,= \t`", max_size=4)
CORE = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=10, max_size=10
).map(lambda text: f"{text}7Q")  # no word of ours


def test_the_table_of_secrets_is_whole() -> None:
    def walk(block: type, where: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        yield from ((*where, name) for name in secrets_of(block))
        for name, field in block.model_fields.items():  # type: ignore[attr-defined]
            for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if isinstance(kind, type) and hasattr(kind, "model_fields"):
                    yield from walk(kind, (*where, name))

    assert sorted(walk(settings_model())) == sorted(SECRETS)


def written(where: tuple[str, ...], value: str) -> str:
    """A file that has a raw value there, and is good elsewhere."""
    lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate(where)]
    return "\n".join(lines) + f" {value}\n"


@given(place=st.sampled_from(SECRETS + WRONG_PLACES), before=SPECIAL, core=CORE, after=SPECIAL,
       how=st.sampled_from(["raw", "no blank", "quoted", "flow", "twice", "environment"]))  # fmt: skip
@hypothesis_settings(max_examples=200, deadline=None)
def test_no_output_ever_holds_a_secret(
    place: tuple[str, ...], before: str, core: str, after: str, how: str
) -> None:
    secret, env, text = f"{before}Zq{core}{after}", {"DRIFTLINE_RULES__BUILTIN": "false"}, ""
    if how == "environment":
        env |= {"DRIFTLINE_" + "__".join(place).upper(): secret}
    elif how == "quoted":
        text = written(place, yaml.safe_dump(secret, default_style='"', width=9999).strip())
    elif how == "flow":
        text = written(place[:-1] or ("kafka",), f"{{{place[-1]}:{secret}, {place[-1]}: {secret}}}")
    elif how == "no blank":
        text = written(place, "").rstrip()[:-1] + f":{secret}\n"
    else:
        text = written(place, secret) * (2 if how == "twice" else 1)
    with TemporaryDirectory() as folder:
        (Path(folder) / "driftline.yaml").write_text(text)
        for command in ("check", "show"):
            code, said = driftline(Path(folder), "config", command, **env)
            assert core not in said
            assert code in (0, 2), said  # and never "internal error"


def test_config_show_masks_and_tells_the_rest(tmp_path: Path) -> None:
    env = {"DRIFTLINE_" + "__".join(place).upper(): f"s3cret-{n}" for n, place in enumerate(SECRETS)}  # fmt: skip
    env |= {
        "DRIFTLINE_KAFKA__OAUTH__TOKEN_URL": "https://idp.example/token",
        "DRIFTLINE_KAFKA__OAUTH__CLIENT_ID": "collector",
        "DRIFTLINE_ELASTICSEARCH__USERNAME": "elastic",
        "DRIFTLINE_ELASTICSEARCH__PROXY": "http://proxy:3128",
        "DRIFTLINE_ELASTICSEARCH__PROXY_USERNAME": "collector",
    }
    del env["DRIFTLINE_ELASTICSEARCH__API_KEY"]
    code, said = driftline(tmp_path, "config", "show", **env)
    assert code == 0, said
    assert "s3cret" not in said
    shown = yaml.safe_load(said)
    assert shown["kafka"]["oauth"] | {"scope": "", "ca_file": None} == {
        "token_url": "https://idp.example/token", "client_id": "collector", "client_secret": "**********",
        "client_secret_file": None, "scope": "", "ca_file": None,
    }  # fmt: skip
    assert shown["elasticsearch"]["username"] == "elastic"
    assert shown["kafka"]["key_password"] == shown["redaction"]["key"] == "**********"


def test_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    found = load_settings(env={"DRIFTLINE_REDACTION__KEY_FILE": str(tmp_path / "key")})
    assert found.redaction.key == SecretStr("from-a-file")
    both = {"DRIFTLINE_REDACTION__KEY_FILE": str(tmp_path / "key"), "DRIFTLINE_REDACTION__KEY": "said"}  # fmt: skip
    assert load_settings(env=both).redaction.key == SecretStr("said")


@pytest.mark.parametrize(("content", "told"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "contains no text")])  # fmt: skip
def test_a_secret_file_without_a_secret_is_refused(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "key").write_bytes(content)
    [problem] = problems("", {"REDACTION__KEY_FILE": str(tmp_path / "key")})
    assert problem == (
        f"environment DRIFTLINE_REDACTION__KEY_FILE: redaction.key_file: {told} (write the path of a file that holds"
        " the secret)"
    )


def test_what_others_may_read_or_overhear_is_warned_of(tmp_path: Path) -> None:
    file, key = tmp_path / "driftline.yaml", tmp_path / "key"
    file.write_text(
        "kafka: {bootstrap_servers: 'a:1', security_protocol: SASL_PLAINTEXT, sasl_mechanism: PLAIN,\n"
        "  sasl_username: u, sasl_password: p}\n"
        f"redaction: {{key_file: {key}}}\n"
        "elasticsearch: {url: 'http://es.example:9200', username: u, password: p}\n"
    )
    key.write_text("0123456789abcdef")
    for path in (file, key):
        path.chmod(0o644)
    told = [line.replace(str(file), "FILE") for line in warnings(examine(file, {}))]
    assert told == [
        "redaction.key_file: this file contains a secret and other users can read it (run: chmod o= on it)",
        "FILE: this file contains a secret and other users can read it (run: chmod o= on it)",
        "FILE:1:54: kafka.security_protocol: credentials are sent unencrypted (use SASL_SSL)",
        "FILE:4:22: elasticsearch.url: secrets are sent unencrypted (use https://)",
    ]
    for path in (file, key):
        path.chmod(0o640)
    file.write_text(file.read_text().replace("'a:1'", "localhost:9092").replace("es.example", "127.0.0.1"))  # fmt: skip
    assert list(warnings(examine(file, {}))) == []


def test_tags_that_anybody_may_set_are_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "driftline.yaml"
    file.write_text(
        "drift:\n  expected:\n    - {tags: {env: dev}, actors: [x]}\n    - {tags: {env: dev}}\n"
    )
    [told] = warnings(examine(file, {}))
    assert told.replace(str(file), "FILE") == (
        "FILE:4:7: drift.expected.1: anyone who may tag a resource can make its changes expected (list actors in addition to tags)"
    )


def test_an_encrypted_key_without_its_password_is_refused_without_asking(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "ca").sign("me", password="right")
    env = {"KAFKA__SECURITY_PROTOCOL": "SSL", "KAFKA__CERTIFICATE_FILE": str(certificate), "KAFKA__KEY_FILE": str(key)}  # fmt: skip
    assert problems("", env | {"KAFKA__KEY_PASSWORD": "right"}) == []
    for more in ({}, {"KAFKA__KEY_PASSWORD": "wrong"}):
        [problem] = problems("", env | more)
        assert problem.startswith("environment DRIFTLINE_KAFKA__KEY_FILE: kafka.key_file: certificate and key cannot be used")  # fmt: skip
