"""Forward to Example, by HTTP. Every change of a finding is one POST.

What was posted is remembered; a post may come twice where the sink is killed in the moment after it, or where its answer is lost. (`driftline sinks new`
copies this file: replace what is not so at your destination.)"""

import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from pydantic import SecretStr

from driftline.pipeline.records.topics import FINDINGS, Topic
from driftline.pipeline.settings.base import Mistake, address
from driftline.pipeline.settings.connections import HttpSettings, Renewable
from driftline.sinks.base import Action, Busy, Limits, Receipt
from driftline.sinks.http import session
from driftline.sinks.module import SinkContext
from driftline.sinks.retry_after import seconds_of

kind = "example"
topics: tuple[Topic, ...] = (FINDINGS,)
references = False
transitions_only = True
OURS = {401, 403, 404, 407, 408, 429}
"""Statuses that tell of the destination or of our settings, not of the document."""


class ExampleSettings(HttpSettings):
    url: str
    """Where findings are posted."""
    token: SecretStr | None = None
    """Who we are there."""
    token_file: Path | None = None

    @property
    def encrypted(self) -> bool:
        """Whether the address is one of TLS."""
        return self.url.startswith("https:")

    def mistakes(self) -> Iterator[Mistake]:
        yield from address("url", self.url)
        yield from super().mistakes()

    def secret_addresses(self) -> Iterator[tuple[str, str]]:
        """See SinkSettings."""
        yield from super().secret_addresses()
        if self.token:
            yield "url", self.url


Settings = ExampleSettings


class ExampleSink:
    """One POST an action."""

    topics = topics
    limits = Limits(most_actions=1)
    transitions_only = transitions_only

    def __init__(self, settings: ExampleSettings) -> None:
        self._settings = Renewable(settings)
        self._session: aiohttp.ClientSession | None = None

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        """What is posted of a finding."""
        id, revision = document["id"], int(document["revision"])
        body = {"id": id, "revision": revision, "status": document["status"], "severity": document["rule"]["severity"],
                "text": document.get("sentence") or document["rule"]["title"], "resource": document["resource"]["uid"]}  # fmt: skip
        return [Action("append", "findings", f"{id}:{revision}", revision, body)]

    def forget(self, topic: str, key: str, at: int) -> list[Action]:
        """What was posted stays."""
        return []

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        """One receipt an action. Raises Busy where the destination does not answer, or takes nothing now."""
        return [await self._post(action) for action in actions]

    async def _post(self, action: Action) -> Receipt:
        settings = self._settings.settings
        self._session = self._session or session(settings, timeout=aiohttp.ClientTimeout(total=30))
        headers = {"Content-Type": "application/json"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
        body = BytesIO(orjson.dumps(action.body))
        try:
            async with self._session.post(settings.url, data=body, headers=headers, allow_redirects=False) as answer:  # fmt: skip
                status, reason = answer.status, (await answer.text(errors="replace"))[:300]
                wait = seconds_of(answer.headers.get("Retry-After"), time.time())
        except (aiohttp.ClientError, OSError) as error:
            await self._reconnect()
            raise Busy(f"{settings.url}: {type(error).__name__}: {error}"[:300]) from None
        if 200 <= status < 300:
            return Receipt("done")
        if status in (401, 403, 407):
            await self._reconnect()
        if status in OURS or status >= 500:
            raise Busy(f"{status} {reason}", wait)
        return Receipt("never", f"{status} {reason}")

    async def _reconnect(self) -> None:
        """Secrets and certificates that were rotated are read again from their files."""
        if self._settings.renewed() is not None:
            await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def create(settings: ExampleSettings, context: SinkContext) -> ExampleSink:
    return ExampleSink(settings)
