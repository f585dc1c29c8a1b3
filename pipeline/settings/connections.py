"""How a destination is reached: the settings that every sink over TLS or HTTP has, and what follows when their files change."""

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from pydantic import SecretStr

from driftline.pipeline.common import files
from driftline.pipeline.settings.base import (
    Mistake,
    SinkSettings,
    address,
    authorities,
    own_certificate,
    renewed,
)

TLS_FILES = ("ca_file", "certificate_file", "key_file")


class TlsSettings(SinkSettings):
    """Of a sink that speaks TLS."""

    ca_file: Path | None = None
    """Certificates of the authorities to trust, PEM. Default: the system's."""
    certificate_file: Path | None = None
    """The client's own certificate, for mutual TLS, PEM."""
    key_file: Path | None = None
    """The private key of certificate_file, PEM; it may be in the same file."""
    key_password: SecretStr | None = None
    """What key_file is encrypted with."""
    key_password_file: Path | None = None

    how_encrypted: ClassVar[tuple[str, str]] = ("url", "write https:// in url")
    """The field that says whether TLS is used, and how it says so."""

    @property
    def encrypted(self) -> bool:
        """Whether TLS is used."""
        return True

    def mistakes(self) -> Iterator[Mistake]:
        field, fix = self.how_encrypted
        if not self.encrypted:
            for name in TLS_FILES:
                if getattr(self, name) is not None:
                    yield Mistake((name, field), "has no effect without TLS", fix=fix)
        yield from authorities("ca_file", self.ca_file)
        yield from own_certificate(self.certificate_file, self.key_file, self.key_password)

    def tls_context(self) -> ssl.SSLContext | None:
        """As the client's libraries take it; None without TLS. Raises OSError, ssl.SSLError among them."""
        if not self.encrypted:
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            secret = self.key_password.get_secret_value() if self.key_password else ""
            context.load_cert_chain(self.certificate_file, self.key_file, lambda: secret)
        return context


class HttpSettings(TlsSettings):
    """Of a sink that speaks HTTP."""

    proxy: str | None = None
    """The HTTP proxy to go through, as http://host:port. Variables of the environment name none."""
    proxy_username: str | None = None
    """With proxy_password, where the proxy asks for a login."""
    proxy_password: SecretStr | None = None
    """With proxy_username."""
    proxy_password_file: Path | None = None

    def mistakes(self) -> Iterator[Mistake]:
        yield from super().mistakes()
        if self.proxy is not None:
            yield from address("proxy", self.proxy, port=True)
        if self.proxy is None and (self.proxy_username or self.proxy_password):
            yield Mistake(("proxy_username", "proxy", "proxy_password"), "needs proxy", "write it")
        if bool(self.proxy_username) != bool(self.proxy_password):
            both = ("proxy_username", "proxy_password", "proxy_password_file")
            yield Mistake(both, "proxy_username and proxy_password need each other", "write both")

    def secret_addresses(self) -> Iterator[tuple[str, str]]:
        """See SinkSettings."""
        if self.proxy and self.proxy_password:
            yield "proxy", self.proxy


S = TypeVar("S", bound=SinkSettings)


class Renewable(Generic[S]):
    """The settings of a connection, whose files may change while it is used."""

    def __init__(self, settings: S) -> None:
        self.settings = settings
        self._contents = _contents(settings)

    def renewed(self) -> S | None:
        """The settings with what their files hold now; None where nothing has changed, or not all of it yet. To be asked when
        the destination refuses us or its TLS fails; with an answer, connect anew."""
        new, contents = renewed(self.settings), _contents(self.settings)
        if (new is None and contents == self._contents) or not _usable(new or self.settings):
            return None
        self.settings, self._contents = new or self.settings, contents
        return self.settings


def _usable(settings: SinkSettings) -> bool:
    """A certificate and its key are two files: between two writes they do not belong together."""
    try:
        if isinstance(settings, TlsSettings):
            settings.tls_context()
    except (OSError, ValueError):
        return False
    return True


def _contents(settings: SinkSettings) -> tuple[bytes, ...]:
    paths = [getattr(settings, name, None) for name in TLS_FILES]
    return tuple(_digest(path) for path in paths if path is not None)


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(files.read_bytes(path)).digest()
    except (OSError, ValueError):
        return b""
