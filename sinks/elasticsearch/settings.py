"""The settings of a sink of the kind `elasticsearch`."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

from pydantic import SecretStr

from driftline.pipeline.settings.base import Mistake, address, matching
from driftline.pipeline.settings.connections import HttpSettings


class ElasticsearchSettings(HttpSettings):
    """Address and credentials of the cluster."""

    url: str = "http://127.0.0.1:9200"
    """One address, or several separated by commas."""
    username: str | None = None
    """Used with password, instead of api_key."""
    password: SecretStr | None = None
    """With username."""
    password_file: Path | None = None
    api_key: SecretStr | None = None
    """The encoded key, instead of username and password."""
    api_key_file: Path | None = None
    namespace: Annotated[
        str, matching(r"[a-z0-9_]{1,100}", "1 to 100 lower-case letters, digits and _")
    ] = "default"
    """The data stream's namespace."""

    @property
    def urls(self) -> list[str]:
        return [url.strip() for url in self.url.split(",")]

    @property
    def encrypted(self) -> bool:
        """Whether any address uses TLS."""
        return any(url.startswith("https:") for url in self.urls)

    def mistakes(self) -> Iterator[Mistake]:
        wrong = [*chain.from_iterable(address("url", url, port=True) for url in self.urls)]
        yield from wrong[:1]
        if self.api_key and (self.username or self.password):
            yield Mistake(
                ("api_key", "username", "password"),
                "cannot be combined with username and password",
                fix="write one of them",
            )
        if self.username and not self.password:
            yield Mistake(
                ("username", "password", "password_file"),
                "requires password or password_file",
                fix="write one of them",
            )
        if self.password and not self.username:
            place = "password_file" if self.password_file else "password"
            yield Mistake((place, "username"), "needs username", fix="write it")
        yield from super().mistakes()

    def secret_addresses(self) -> Iterator[tuple[str, str]]:
        """See SinkSettings."""
        yield from super().secret_addresses()
        if self.password or self.api_key:
            yield "url", self.urls[0]
