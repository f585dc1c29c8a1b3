"""One real broker that listens in every way that the settings can name, its certificates, users and token issuer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from driftline.pipeline.kafka.client import admin
from driftline.pipeline.local import kafka
from driftline.pipeline.local.process import free_port
from driftline.pipeline.settings.blocks import Kafka
from tests.live import oidc
from tests.live.certificates import Authority

USER, PASSWORD = "driftline", "p@ss, 'wörd' \"=;"
KEY_PASSWORD = "of the key"
TOPIC = "secured"
SASL = "org.apache.kafka.common.security"
PLAIN = (
    USER,
    "plain-password",
)  # it stands in the broker's file, whose quoting is not what is tried here


class Secured(NamedTuple):
    """The broker and what its clients need."""

    server: kafka.KafkaServer
    ports: dict[str, int]
    """Listener to port: tls, mutual, sasl, clear (SASL without TLS), foreign (a certificate for another host)."""
    ca: Authority
    stranger: Authority
    """An authority that the broker does not know."""
    certificate: tuple[Path, Path]
    """The client's own and its key, which is encrypted."""
    issuer: oidc.Issuer
    token_url: str

    def at(self, listener: str, **more: Any) -> dict[str, Any]:
        """The settings' block for a listener."""
        own: dict[str, Any] = {"bootstrap_servers": f"localhost:{self.ports[listener]}"}
        if listener != "clear":
            own |= {"ca_file": str(self.ca.file), "security_protocol": "SSL"}
        if listener in ("sasl", "clear"):
            own["security_protocol"] = "SASL_SSL" if listener == "sasl" else "SASL_PLAINTEXT"
        if listener == "mutual":
            names = ("certificate_file", "key_file", "key_password")
            own |= dict(zip(names, (*map(str, self.certificate), KEY_PASSWORD), strict=True))
        return own | more

    def oauth(self, **more: Any) -> dict[str, Any]:
        own = {"token_url": self.token_url, "client_id": USER, "client_secret": PASSWORD, "scope": oidc.SCOPE,
               "ca_file": str(self.ca.file)}  # fmt: skip
        return own | more


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """The broker, with one topic of one partition."""
    ca, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    issuer = oidc.Issuer({USER: PASSWORD})
    own = ca.store("broker", "localhost", "127.0.0.1")
    with oidc.serving(issuer, *ca.sign("issuer", "localhost")) as (token_url, keys_url):
        ports = {name: free_port() for name in ("tls", "mutual", "sasl", "clear", "foreign")}
        plain = free_port()
        properties = _properties(ports | {"plaintext": plain}, ca.file, own, keys_url)
        properties["listener.name.foreign.ssl.keystore.location"] = str(ca.store("foreign", "other.example"))  # fmt: skip
        # nothing is fetched from an address that is not listed here
        env = {"JDK_JAVA_OPTIONS": f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys_url}"}
        server = kafka.start(folder / "kafka", plain, properties=properties, env=env)
        try:
            _furnish(Kafka(bootstrap_servers=server.bootstrap))
            certificate = ca.sign("client", password=KEY_PASSWORD)
            yield Secured(server, ports, ca, stranger, certificate, issuer, token_url)
        finally:
            server.stop()


def _furnish(inside: Kafka) -> None:
    client = admin(inside)
    futures = [*client.create_topics([NewTopic(TOPIC, 1, 1)]).values()]
    for kind in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        user = UserScramCredentialUpsertion(USER, ScramCredentialInfo(kind, 4096), PASSWORD.encode())  # fmt: skip
        futures += client.alter_user_scram_credentials([user]).values()
    for future in futures:
        future.result(30)


def _properties(ports: dict[str, int], trusted: Path, own: Path, keys_url: str) -> dict[str, str]:
    controller = free_port()
    kinds = {"tls": "SSL", "mutual": "SSL", "foreign": "SSL", "sasl": "SASL_SSL", "clear": "SASL_PLAINTEXT"}  # fmt: skip
    protocols = kinds | {"plaintext": "PLAINTEXT", "controller": "PLAINTEXT"}
    name, password = PLAIN
    listening = ports | {"controller": controller}
    out = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": ",".join(f"{k.upper()}://127.0.0.1:{v}" for k, v in listening.items()),
        "listener.security.protocol.map": ",".join(f"{k.upper()}:{v}" for k, v in protocols.items()),
        "advertised.listeners": ",".join(f"{k.upper()}://localhost:{v}" for k, v in ports.items()),
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.keystore.type": "PEM", "ssl.keystore.location": str(own),
        "ssl.truststore.type": "PEM", "ssl.truststore.location": str(trusted),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.clear.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "listener.name.sasl.oauthbearer.sasl.server.callback.handler.class": f"{SASL}.oauthbearer.OAuthBearerValidatorCallbackHandler",
        "listener.name.sasl.oauthbearer.sasl.jaas.config": f"{SASL}.oauthbearer.OAuthBearerLoginModule required;",
        "listener.name.sasl.sasl.oauthbearer.jwks.endpoint.url": keys_url,
        "listener.name.sasl.sasl.oauthbearer.expected.audience": oidc.AUDIENCE,
        "listener.name.sasl.sasl.oauthbearer.expected.issuer": oidc.ISSUER,
    }  # fmt: skip
    for listener in ("sasl", "clear"):
        out[f"listener.name.{listener}.plain.sasl.jaas.config"] = f'{SASL}.plain.PlainLoginModule required user_{name}="{password}";'  # fmt: skip
        for kind in ("256", "512"):
            out[f"listener.name.{listener}.scram-sha-{kind}.sasl.jaas.config"] = f"{SASL}.scram.ScramLoginModule required;"  # fmt: skip
    return out
