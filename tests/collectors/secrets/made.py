"""Invented secrets of documented forms. Each is put together when it is used, so that no file holds one."""

import base64
import random
import string
from collections.abc import Callable, Iterator

HEX, UPPER, LOWER, DIGITS = (
    "0123456789abcdef",
    string.ascii_uppercase,
    string.ascii_lowercase,
    string.digits,
)
ALNUM = string.ascii_letters + DIGITS
WEB = ALNUM + "_-"
B64 = ALNUM + "+/"


class Maker:
    """Random letters that are the same in every run."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def of(self, letters: str, count: int) -> str:
        return "".join(self._random.choice(letters) for _ in range(count))

    def an(self, count: int) -> str:
        return self.of(ALNUM, count)

    def web(self, count: int) -> str:
        return self.of(WEB, count - 1) + self.of(ALNUM, 1)

    def hex(self, count: int) -> str:
        return self.of(HEX, count)

    def uuid(self) -> str:
        return "-".join(self.hex(n) for n in (8, 4, 4, 4, 12))

    def password(self) -> str:
        return self.of(ALNUM, 9) + "7" + self.of("!.+^~", 1)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS: dict[str, Callable[[Maker], str]] = {
    "aws key id": lambda m: "AK" + "IA" + m.of(UPPER + "234567", 16),
    "aws temporary key id": lambda m: "AS" + "IA" + m.of(UPPER + "234567", 16),
    "aws credentials file": lambda m: f"[default]\naws_access_key_id = x\naws_secret_access_key = {m.of(B64, 40)}",
    "aws session token": lambda m: "IQoJb3Jp" + "Z2lu" + m.of(B64, 200),
    "aws bedrock key": lambda m: "AB" + "SK" + m.of(B64, 110),
    "aws presigned url": lambda m: f"https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={m.hex(64)}",
    "aws mws": lambda m: "amzn." + "mws." + m.uuid(),
    "private key rsa": lambda m: "-----BEGIN RSA " + "PRIVATE KEY-----\n" + m.of(B64, 64),
    "private key ec": lambda m: "-----BEGIN EC " + "PRIVATE KEY-----\n" + m.of(B64, 64),
    "private key openssh": lambda m: "-----BEGIN OPENSSH " + "PRIVATE KEY-----\n" + m.of(B64, 64),
    "private key encrypted": lambda m: "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----\n" + m.of(B64, 64),
    "private key pgp": lambda m: "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\n" + m.of(B64, 64),
    "putty key": lambda m: "PuTTY-User-" + "Key-File-3: ssh-ed25519",
    "age key": lambda m: "AGE-SECRET-" + "KEY-1" + m.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "json web token": lambda m: "ey" + "J" + m.web(20) + ".ey" + "J" + m.web(40) + "." + m.web(43),
    "url postgres": lambda m: f"postgresql://app:{m.an(12)}@db.internal:5432/app",
    "url mysql": lambda m: f"mysql://root:{m.an(10)}@10.0.0.5/shop",
    "url mongo": lambda m: f"mongodb+srv://svc:{m.an(16)}@cluster0.x1.mongodb.net/test",
    "url redis": lambda m: f"redis://:{m.an(14)}@cache:6379/0",
    "url amqp": lambda m: f"amqps://user:{m.an(14)}@b-1.mq.eu-west-1.amazonaws.com:5671",
    "url git": lambda m: f"https://bot:{m.an(20)}@git.internal/app.git",
    "url jdbc": lambda m: f"jdbc:sqlserver://db:1433;databaseName=a;user=sa;password={m.an(12)}",
    "url query api key": lambda m: f"https://maps.internal/v1?api_key={m.an(24)}&q=x",
    "url query token": lambda m: f"https://x.internal/hook?token={m.an(24)}",
    "bearer": lambda m: f"Authorization: Bearer {m.web(40)}",
    "bearer alone": lambda m: f"curl -H 'Bearer {m.an(32)}' https://x",
    "basic": lambda m: "Authorization: Basic " + _b64(f"ann:{m.an(12)}"),
    "header x-api-key": lambda m: f"x-api-key: {m.an(40)}",
    "header x-auth-token": lambda m: f"X-Auth-Token: {m.hex(32)}",
    "header private-token": lambda m: f"curl --header 'PRIVATE-TOKEN: {m.an(20)}' https://git",
    "header vault": lambda m: f"X-Vault-Token: {m.an(26)}",
    "option password": lambda m: f"app --user ann --password {m.an(9)}7",
    "option password equals": lambda m: f"app --db-password={m.an(9)}7",
    "option token": lambda m: f"run.sh --token {m.an(24)}",
    "option secret": lambda m: f"x --client-secret '{m.an(24)}'",
    "option api key": lambda m: f"agent --api-key {m.an(24)}",
    "mysql -p": lambda m: f"mysql -u root -p{m.an(10)}7 shop",
    "curl -u": lambda m: f"curl -u ann:{m.an(10)} https://x",
    "sshpass": lambda m: f"sshpass -p {m.an(10)} ssh ann@x",
    "docker login": lambda m: f"docker login -u ann -p {m.an(10)} registry.internal",
    "redis-cli": lambda m: f"redis-cli -h x -a {m.an(12)} ping",
    "openssl pass": lambda m: f"openssl rsa -in k.pem -passin pass:{m.an(12)}",
    "PGPASSWORD": lambda m: f"PGPASSWORD={m.an(12)} psql -h db",
    "MYSQL_PWD": lambda m: f"export MYSQL_PWD={m.an(12)}7",
    "netrc": lambda m: f"machine git.internal login ann password {m.an(12)}",
    "pgpass": lambda m: f"db.internal:5432:app:ann:{m.an(12)}",
    "docker config": lambda m: '{"auths":{"r.internal":{"auth":"' + _b64("ann:" + m.an(12)) + '"}}}',
    "npmrc": lambda m: f"//registry.npmjs.org/:_authToken={m.uuid()}",
    "bcrypt": lambda m: "$2b" + "$12$" + m.of("./" + ALNUM, 53),
    "shadow": lambda m: "$6" + "$" + m.an(8) + "$" + m.of("./" + ALNUM, 86),
    "yaml password": lambda m: f"db:\n  password: {m.an(11)}7\n",
    "env key": lambda m: f"export STRIPE_KEY={m.an(24)}",
    "properties": lambda m: f"spring.datasource.password={m.an(11)}",
    "json text": lambda m: '{"db": {"password": "' + m.an(11) + '7"}}',
    "json pairs": lambda m: '[{"name": "DB_PASSWORD", "value": "' + m.an(11) + '7"}]',
    "escaped json": lambda m: '{"x": "{\\"password\\": \\"' + m.an(11) + '7\\"}"}',
    "base64 of script": lambda m: _b64(f"#!/bin/bash\nexport DB_PASSWORD={m.an(11)}7\n"),
    "base64 of json": lambda m: _b64('{"password": "' + m.an(11) + '7"}'),
    "azure storage": lambda m: f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={m.of(B64, 86)}==",
    "azure service bus": lambda m: f"Endpoint=sb://x/;SharedAccessKeyName=r;SharedAccessKey={m.of(B64, 43)}=",
    "azure sas": lambda m: f"https://a.blob.core.windows.net/c?sv=2024-01-01&se=2026&sig={m.an(40)}%2Fab%3D",
    "azure client secret": lambda m: m.an(3) + "8Q" + "~" + m.web(34),
    "azure storage key": lambda m: m.of(B64, 76) + "+A" + "St" + m.of(ALNUM, 6) + "==",
    "azure cosmos": lambda m: m.of(ALNUM, 76) + "AC" + "Db" + m.of(ALNUM, 6) + "==",
    "azure devops": lambda m: m.an(52) + "JQQJ" + "99" + m.an(18) + "AZ" + "DO" + m.an(4),
    "teams webhook": lambda m: f"https://acme.webhook.office.com/webhookb2/{m.uuid()}@{m.uuid()}/IncomingWebhook/{m.hex(32)}/{m.uuid()}",
    "google api": lambda m: "AI" + "za" + m.web(35),
    "google oauth": lambda m: "ya" + "29." + m.web(60),
    "google client": lambda m: "GOC" + "SPX-" + m.web(28),
    "google service account": lambda m: '{"type":"service_account","private_key":"-----BEGIN ' + 'PRIVATE KEY-----\\n' + m.of(B64, 60) + '"}',
    "google chat": lambda m: f"https://chat.googleapis.com/v1/spaces/AAA/messages?key={m.an(20)}&token={m.an(40)}",
    "github classic": lambda m: "gh" + "p_" + m.an(36),
    "github oauth": lambda m: "gh" + "o_" + m.an(36),
    "github server": lambda m: "gh" + "s_" + m.an(36),
    "github fine": lambda m: "github" + "_pat_" + m.an(22) + "_" + m.an(59),
    "gitlab": lambda m: "gl" + "pat-" + m.web(20),
    "gitlab runner": lambda m: "gl" + "rt-" + m.web(20),
    "gitlab deploy": lambda m: "gl" + "dt-" + m.web(20),
    "bitbucket": lambda m: "AT" + "BB" + m.an(32),
    "atlassian": lambda m: "ATA" + "TT3xFfGF0" + m.web(180),
    "circleci": lambda m: "CC" + "IPAT_" + m.an(22) + "_" + m.hex(40),
    "buildkite": lambda m: "bk" + "ua_" + m.hex(40),
    "sourcegraph": lambda m: "sg" + "p_" + m.hex(40),
    "sonar": lambda m: "sq" + "u_" + m.hex(40),
    "artifactory": lambda m: "AK" + "Cp" + m.an(69),
    "npm": lambda m: "np" + "m_" + m.an(36),
    "pypi": lambda m: "py" + "pi-AgEIcHlwaS5vcmc" + m.web(120),
    "rubygems": lambda m: "ruby" + "gems_" + m.hex(48),
    "nuget": lambda m: "oy" + "2" + m.of(LOWER + DIGITS, 43),
    "docker hub": lambda m: "dckr" + "_pat_" + m.web(27),
    "crates": lambda m: "ci" + "o" + m.an(32),
    "slack bot": lambda m: "xo" + "xb-" + m.of(DIGITS, 12) + "-" + m.of(DIGITS, 12) + "-" + m.an(24),
    "slack user": lambda m: "xo" + "xp-" + m.of(DIGITS, 12) + "-" + m.of(DIGITS, 12) + "-" + m.hex(32),
    "slack app": lambda m: "xa" + "pp-1-A" + m.of(UPPER + DIGITS, 10) + "-" + m.of(DIGITS, 13) + "-" + m.hex(64),
    "slack webhook": lambda m: "https://hooks.slack." + "com/services/T" + m.of(UPPER + DIGITS, 8) + "/B" + m.of(UPPER + DIGITS, 8) + "/" + m.an(24),
    "discord webhook": lambda m: "https://discord.com/api/" + "webhooks/" + m.of(DIGITS, 18) + "/" + m.web(68),
    "discord bot": lambda m: "MT" + m.an(24) + "." + m.an(6) + "." + m.web(38),
    "telegram": lambda m: m.of("123456789", 10) + ":A" + "A" + m.web(33),
    "sendgrid": lambda m: "SG" + "." + m.web(22) + "." + m.web(43),
    "brevo": lambda m: "xkey" + "sib-" + m.hex(64) + "-" + m.an(16),
    "mailgun": lambda m: "key" + "-" + m.hex(32),
    "mailchimp": lambda m: m.hex(32) + "-us" + "21",
    "twilio": lambda m: "S" + "K" + m.hex(32),
    "resend": lambda m: "re" + "_" + m.an(8) + "_" + m.an(24),
    "stripe": lambda m: "sk" + "_live_" + m.an(24),
    "stripe restricted": lambda m: "rk" + "_live_" + m.an(24),
    "stripe test": lambda m: "sk" + "_test_" + m.an(24),
    "stripe webhook": lambda m: "wh" + "sec_" + m.an(32),
    "square": lambda m: "sq" + "0atp-" + m.web(22),
    "braintree": lambda m: "access_" + "token$production$" + m.of(LOWER + DIGITS, 16) + "$" + m.hex(32),
    "plaid": lambda m: "access-" + "production-" + m.uuid(),
    "razorpay": lambda m: "rzp" + "_live_" + m.an(14),
    "shopify": lambda m: "shp" + "at_" + m.hex(32),
    "easypost": lambda m: "EZ" + "AK" + m.an(54),
    "duffel": lambda m: "duffel" + "_live_" + m.web(43),
    "openai": lambda m: "sk" + "-" + m.an(48),
    "openai project": lambda m: "sk" + "-proj-" + m.web(120),
    "anthropic": lambda m: "sk" + "-ant-api03-" + m.web(93) + "AA",
    "hugging face": lambda m: "h" + "f_" + m.of(string.ascii_letters, 34),
    "replicate": lambda m: "r" + "8_" + m.an(37),
    "groq": lambda m: "gs" + "k_" + m.an(52),
    "perplexity": lambda m: "pp" + "lx-" + m.an(48),
    "langsmith": lambda m: "ls" + "v2_pt_" + m.hex(32) + "_" + m.hex(10),
    "nvidia": lambda m: "nv" + "api-" + m.web(64),
    "xai": lambda m: "xa" + "i-" + m.an(80),
    "grafana": lambda m: "gl" + "sa_" + m.an(32) + "_" + m.hex(8),
    "grafana cloud": lambda m: "gl" + "c_" + m.of(B64, 60),
    "new relic": lambda m: "NR" + "AK-" + m.of(UPPER + DIGITS, 27),
    "new relic license": lambda m: m.hex(36) + "NR" + "AL",
    "dynatrace": lambda m: "dt0" + "c01." + m.of(UPPER + DIGITS, 24) + "." + m.of(UPPER + DIGITS, 64),
    "sentry": lambda m: "sntry" + "u_" + m.hex(64),
    "launchdarkly": lambda m: "sd" + "k-" + m.uuid(),
    "vault": lambda m: "hv" + "s." + m.web(95),
    "terraform cloud": lambda m: m.an(14) + ".atla" + "sv1." + m.web(64),
    "doppler": lambda m: "dp" + ".pt." + m.an(43),
    "1password": lambda m: "ops" + "_eyJ" + m.of(B64, 300),
    "pulumi": lambda m: "pu" + "l-" + m.hex(40),
    "digitalocean": lambda m: "do" + "p_v1_" + m.hex(64),
    "fly": lambda m: "f" + "o1_" + m.web(43),
    "netlify": lambda m: "nf" + "p_" + m.an(36),
    "planetscale": lambda m: "pscale" + "_tkn_" + m.web(43),
    "supabase": lambda m: "sb" + "p_" + m.hex(40),
    "databricks": lambda m: "da" + "pi" + m.hex(32),
    "tailscale": lambda m: "ts" + "key-auth-" + m.an(12) + "-" + m.an(32),
    "openshift": lambda m: "sha" + "256~" + m.web(43),
    "prefect": lambda m: "pn" + "u_" + m.an(36),
    "alibaba": lambda m: "LT" + "AI" + m.an(20),
    "airtable": lambda m: "pa" + "t" + m.an(14) + "." + m.hex(64),
    "asana": lambda m: "1/" + m.of(DIGITS, 16) + ":" + m.hex(32),
    "notion": lambda m: "nt" + "n_" + m.an(46),
    "linear": lambda m: "lin" + "_api_" + m.an(40),
    "figma": lambda m: "fig" + "d_" + m.web(40),
    "postman": lambda m: "PM" + "AK-" + m.hex(24) + "-" + m.hex(34),
    "hubspot": lambda m: "pat" + "-na1-" + m.uuid(),
    "mapbox": lambda m: "sk" + ".eyJ" + m.an(80) + "." + m.web(22),
    "facebook": lambda m: "EA" + "A" + m.an(180),
    "dropbox": lambda m: "sl" + "." + m.web(130),
    "contentful": lambda m: "CF" + "PAT-" + m.web(43),
    "typeform": lambda m: "tf" + "p_" + m.web(44),
    "elastic cloud": lambda m: "es" + "su_" + m.of(B64, 60),
    "zapier": lambda m: "https://hooks.zapier." + "com/hooks/catch/" + m.of(DIGITS, 7) + "/" + m.of(LOWER + DIGITS, 7),
    "aiven": lambda m: "AV" + "NS_" + m.web(19),
    "maxmind": lambda m: m.an(6) + "_" + m.an(29) + "_m" + "mk",
}  # fmt: skip


def forms(rounds: int = 3) -> Iterator[tuple[str, str]]:
    """Every form with invented values."""
    for number, (name, make) in enumerate(FORMS.items()):
        for turn in range(rounds):
            yield name, make(Maker(1000 * number + turn))
