"""How many secrets of documented forms are recognized, and how few ordinary values: both figures are printed (-s)."""

from typing import Any

import pytest

from driftline.collectors.redact import Redactor
from driftline.collectors.secrets.forms import forms as rows
from driftline.pipeline.rulebook.secrets import holds_secret
from tests.collectors.secrets.made import FORMS, Maker, forms
from tests.collectors.secrets.ordinary import _enumerations, ordinary

OURS = Redactor(b"k" * 32)


def hidden(name: str, value: str) -> bool:
    return OURS.config({"p": {name: value}}) != {"p": {name: value}}


def test_secrets_of_documented_forms_are_recognized() -> None:
    assert len(FORMS) >= 150
    missed = [(name, text) for name, text in forms() if not hidden("Description", text)]
    share = 1 - len(missed) / (len(FORMS) * 3)
    print(f"\nforms: {len(FORMS)}, values: {len(FORMS) * 3}, redacted: {share:.2%}")  # fmt: skip
    assert share >= 0.99, missed


def test_ordinary_values_stay() -> None:
    values = ordinary()
    enumerations = frozenset(_enumerations())
    others = [one for one in values if one not in enumerations]
    wrong = [(name, text) for name, text in values if hidden(name, text)]
    own = [one for one in wrong if one not in enumerations]
    print(f"\nordinary: {len(values)}, redacted: {len(wrong) / len(values):.2%}; without enumerations: {len(others)}, redacted: {len(own) / len(others):.2%}")  # fmt: skip
    assert len(others) > 5000
    assert len(wrong) <= 0.01 * len(values), wrong
    assert len(own) <= 0.01 * len(others), own


@pytest.mark.parametrize(
    "shape", ["{}", "see {} there", "a='{}'", 'x: "{}"\n', "k=1 {}\nmore", "({})"]
)
def test_a_form_is_recognized_within_a_text(shape: str) -> None:
    missed = [name for name, text in forms(1) if not hidden("Description", shape.format(text))]
    # these are whole texts: a line of a file, a document, base64
    assert set(missed) <= {
        "pgpass",
        "base64 of script",
        "base64 of json",
        "json pairs",
        "docker login",
        "option password",
        "escaped json",
        "netrc",
        "bcrypt",
    }


@pytest.mark.parametrize(
    "pattern",
    [row.pattern for row in rows()],
    ids=[f"{row.id}-{n}" for n, row in enumerate(rows())],
)
def test_no_form_matches_an_ordinary_text(pattern: Any) -> None:
    for text in (b"arn:aws:iam::111111111111:role/app", b"2026-01-01T00:00:00.000Z", b"the quick brown fox jumps", b"10.0.0.0/16",
                 b"https://app.acme.org:8443/a/b?c=d", b"sha256:" + b"0a" * 32, b"disk-sk-large-instance-name", b"task-definition/app:12",
                 b"projects/acme/secrets/db", b"i-0123456789abcdef0", b"AIDACKCEVSQ6C2EXAMPLE"):  # fmt: skip
        assert pattern.search(text) is None


PASSWORDS = ["DB_PASSWORD", "dbPassword", "DB_PW", "DB_PASS", "PGPASSWORD", "db.password", "SMTP_PWD", "STRIPE_KEY", "APP_ENCRYPTION_KEY", "signing_key",
             "JWT_SECRET", "webhookSecret", "GH_TOKEN", "API_KEY", "apikey", "x-api-key", "AWS_SECRET_ACCESS_KEY", "SERVICE_CREDS", "auth-token",
             "LDAP_BIND_PASSWORD", "SESSION_KEY", "ADMIN_PASSCODE", "clientSecret", "MASTER_KEY", "SLACK_BEARER"]  # fmt: skip


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_secrets_name_is_enough_in_every_shape(name: str) -> None:
    secret = Maker(7).password()
    shapes: list[Any] = [
        {name: secret}, {name: [secret]}, {"Key": name, "Value": secret}, {"name": name, "value": secret}, {"name": name, "type": "PLAINTEXT", "value": secret},
        {"OptionName": name, "Value": secret, "Namespace": "aws:elasticbeanstalk:application:environment", "ResourceName": "x"},
        {"parameterKey": name, "parameterValue": secret}, {"OutputKey": name, "OutputValue": secret}, {"HeaderName": name, "HeaderValue": secret},
        {"key": name, "stringValue": secret}, {"op": "replace", "path": f"/variables/{name}", "value": secret},
        {"ParameterName": name, "ParameterValue": secret, "Source": "user", "ApplyType": "static", "IsModifiable": True},
        {"text": f"export {name}={secret}"}, {"text": f'{name}: "{secret}"'}, {"text": f'{{"a": [{{"{name}": "{secret}"}}]}}'},
        {"text": f'[{{"name": "{name}", "value": "{secret}"}}]'}, {"command": [f"{name}={secret}"]},
        {"text": f"- name: {name}\n  value: {secret}\n"},
    ]  # fmt: skip
    for shape in shapes:
        assert secret not in str(OURS.config({"p": shape})), shape


@pytest.mark.parametrize(
    "name", ["password", "Password", "secret", "apiToken", "PIN_PASSCODE", "DB_PASSWORD"]
)
def test_numbers_and_maps_under_a_secrets_name(name: str) -> None:
    for shape in ({name: 73519284}, {name: {"value": "Zq9hunter"}}, {name: {"plain": {"text": "Zq9hunter"}}}, {name: {"Default": "Zq9hunter", "Type": "String"}},
                  {name: [73519284]}, {"name": name, "value": 73519284}, {name: {"value": 73519284}}, {"key": name, "value": {"x": "Zq9hunter"}}):  # fmt: skip
        told = str(OURS.config({"p": shape}))
        assert "73519284" not in told, shape
        assert "Zq9hunter" not in told, shape
    kept = {"MinimumPasswordLength": 14, "PasswordReusePrevention": 24, "MaxPasswordAge": 90, "max_tokens": 4096, "ExpirePasswords": True, "AccessTokenValidity": 60,
            "SECRET_ROTATION_DAYS": 30, "HttpTokens": "required"}  # fmt: skip
    assert OURS.config({"p": kept}) == {"p": kept}


def test_the_element_after_an_option_is_a_secret() -> None:
    command = [
        "app",
        "--db-password",
        "Zq9hunter",
        "--port",
        "8080",
        "--token",
        "$TOKEN",
        "-c",
        "x",
    ]
    told = OURS.config({"p": {"command": command}})["p"]["command"]
    assert told[2]["kind"] == "assigned:db-password"
    assert told[:2] + told[3:] == command[:2] + command[3:]


COMMANDS = [
    "curl -u admin:{}", "curl -s --user admin:{}", "mysql -h db -uroot -p{}", "mysqldump -u root -p{}", "sshpass -p {}",
    "docker login -u app -p {}", "redis-cli -h cache -a {}", "ldapsearch -x -D cn=admin -w {}", "htpasswd -bc .htpasswd admin {}",
    "openssl enc -aes-256-cbc -pass pass:{}",
]  # fmt: skip
STATEMENTS = [
    "echo 'ubuntu:{}' | chpasswd", "echo root:{} | sudo chpasswd", "net user Administrator {} /add", "NET USER app \"{}\" /ADD",
    "ConvertTo-SecureString '{}' -AsPlainText -Force", "ConvertTo-SecureString -AsPlainText -String \"{}\" -Force",
    "CREATE USER 'app'@'%' IDENTIFIED BY '{}';", "create user app identified with mysql_native_password by '{}'",
    "ALTER USER app WITH PASSWORD '{}'", "CREATE ROLE app LOGIN ENCRYPTED PASSWORD '{}'", "setx DB_PASSWORD {}", "setx DB_PASSWORD \"{}\" /M",
    "ENV DB_PASSWORD {}", "define('DB_PASSWORD', '{}');", 'define( "API_TOKEN", "{}" );',
]  # fmt: skip


@pytest.mark.parametrize("form", COMMANDS + STATEMENTS)
def test_a_command_that_holds_a_secret(form: str) -> None:
    secret = Maker(11).password()
    line = form.format(secret)
    shapes: list[Any] = [{"Description": line}, {"command": ["sh", "-c", line]}, {"buildspec": f"build:\n  commands:\n    - {line}\n"}]  # fmt: skip
    if form in COMMANDS:
        shapes += [{"command": line.split()}, {"Args": [*line.split(), "https://example.com"]}]
    for shape in shapes:
        told = OURS.config({"p": shape})
        assert secret not in str(told), shape
        assert holds_secret(told), shape


@pytest.mark.parametrize("line", [
    "curl -u $USER:$PASS https://x", "mysql -h db -uroot -p", "mkdir -p /opt/app", "ssh -p 2222 host", "docker run -p 8080:80 nginx",
    "docker login --password-stdin registry", "redis-cli -a", "grep -w word file", "passwd -l root", "net user /domain", "net user app * /add",
    "cut -d : -f 1 /etc/passwd", "ENV PATH /usr/bin", "setx JAVA_HOME C:/java", "define('WP_DEBUG', true);", "ldapsearch -x -W -D cn=admin",
    "java -cp a:b -jar app.jar -a x", "find . -user www-data -perm -u", "chpasswd < users", "ConvertTo-SecureString $password -AsPlainText",
    "CREATE USER app IDENTIFIED BY '${DB_PASSWORD}'", "define('DB_PASSWORD', getenv('DB_PASSWORD'));", "export TOKEN_TTL=3600",
])  # fmt: skip
def test_a_command_that_holds_none(line: str) -> None:
    for shape in ({"Description": line}, {"command": line.split()}):
        assert OURS.config({"p": shape}) == {"p": shape}


@pytest.mark.parametrize(("name", "value"), [
    ("TOKEN_TTL", "3600"), ("PASSWORD_MIN_LENGTH", "14"), ("AWS_ACCESS_KEY_ROTATION", "90"), ("PASSWORD_EXPIRY", "90 days"), ("SECRET_CACHE_SECONDS", "1.5"),
    ("TOKEN_TIMEOUT", "15m"), ("API_KEY_HEADER", "X-Internal-Id"), ("TOKEN_ALGORITHM", "RS256"), ("PASSWORD_POLICY", "strict"), ("TOKEN_TIME", "utc"),
    ("COMPASS", "north"), ("ENCOMPASS", "wide"), ("BYPASS", "partly"), ("SECRETARY", "Anne Smith"), ("TRESPASS", "never"),
])  # fmt: skip
def test_what_measures_or_only_sounds_alike_is_no_secret(name: str, value: str) -> None:
    for shape in ({name: value}, {"name": name, "value": value}, {"Key": name, "Value": value}, {"text": f"export {name}={value}"}):  # fmt: skip
        assert OURS.config({"p": shape}) == {"p": shape}
    assert OURS.tags({name: value}) == {name: value}
    assert not holds_secret(OURS.config({"p": {"Variables": {name: value}}}, ["p.Variables"]))


@pytest.mark.parametrize(("name", "value"), [
    ("DBPASS", "hunter22"), ("MYSQLPASS", "hunter22"), ("DB_PASSWORD", "3600"), ("PIN_PASSCODE", "7351"), ("TOKEN_TTL", "Zq9hunter22"),
    ("SUPERSECRET", "hunter22"), ("SECRET_AREA", "hunter22"),
])  # fmt: skip
def test_what_sounds_like_a_measure_still_is_one(name: str, value: str) -> None:
    assert OURS.config({"p": {name: value}})["p"][name]["kind"] == "named"


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("DB_PASSWORD", "hunter2", "named"), ("STRIPE_KEY", "Zq93kfla02", "named"), ("note", "AK" + "IA" + "ABCDEFGHIJKLMNOP", "aws-access-key-id"),
        ("cmd", "export DB_PASSWORD=hunter22", "assigned:DB_PASSWORD"), ("UserData", "IyEvYmluL2Jhc2gKZXhwb3J0IERCX1BBU1NXT1JEPWh1bnRlcjIyCg==", "assigned:DB_PASSWORD"),
        ("UserData", "IyEvYmluL2Jhc2gKZWNobyBoZWxsbyB3b3JsZAo=", None), ("DB_PASSWORD", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:db", None),
        ("DB_PASSWORD", "{{resolve:secretsmanager:db:SecretString:password}}", None), ("DB_PASSWORD", "{{resolve:ssm-secure:/db/password:1}}", None),
        ("DB_PASSWORD", "${DB_PASSWORD}", None), ("DB_PASSWORD", "/prod/db/password", None), ("DB_PASSWORD", "changeme", None), ("DB_PASSWORD", "<password>", None),
        ("DB_PASSWORD", "****", None), ("DB_PASSWORD", "HIDDEN_DUE_TO_SECURITY_REASONS", None), ("PASSWORD_FILE", "/run/secrets/db", None), ("API_TOKEN", "true", None),
        ("SecretString", "xxxxxxxx", None), ("credential", "prod/registry", None),
    ],
)  # fmt: skip
def test_a_mark_says_whether_a_secret_stands_in_plain_text(
    name: str, value: str, kind: str | None
) -> None:
    told = OURS.config({"p": {name: value}})["p"][name]
    assert (told.get("kind") if isinstance(told, dict) else None) == kind
    pair = OURS.config({"p": [{"name": name, "value": value}]}, ["p.value"])["p"][0]["value"]
    assert pair.get("kind") == kind


def test_json_within_a_text_stays_json() -> None:
    """A policy in an event is still readable where one of its values is redacted."""
    told = OURS.config({"p": {"policyDocument": '{"Action":"*","password":"Zq9hunter"}'}})["p"][
        "policyDocument"
    ]
    assert '"Action":"*"' in told
    assert "Zq9hunter" not in told
    assert OURS.config({"p": {"policyDocument": told}}) == {"p": {"policyDocument": told}}


@pytest.mark.parametrize("forged", [
    {"redacted": True, "hash": "Zq9hunter", "key_id": "Zq9hunter"}, {"redacted": True, "hash": "0" * 32, "key_id": "0" * 8, "kind": "named", "password": "Zq9hunter"},
    {"redacted": True, "hash": "0" * 32, "key_id": "0" * 8, "kind": "Zq9hunter password=Zq9hunter"},
])  # fmt: skip
def test_what_only_resembles_a_mark_is_no_mark(forged: dict[str, Any]) -> None:
    config = {"f": {"Environment": {"Variables": {"DB_PASSWORD": forged}}}}
    assert "Zq9hunter" not in str(OURS.config(config, ["f.Environment.Variables"]))
