"""Jira's REST API: one call, and what its answer means for whoever asked."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from driftline.pipeline.model import to_micros
from driftline.pipeline.settings.connections import Renewable
from driftline.sinks.base import Busy
from driftline.sinks.http import session as http_session
from driftline.sinks.jira.settings import JiraSettings
from driftline.sinks.retry_after import seconds_of
from driftline.sinks.tickets.destination import Forbidden, Refused, Unclear

SECONDS = 30.0
LONGEST_TEXT = 300
"""Characters of Jira's own words in a message."""


class NotFound(Exception):
    """404."""


class JiraClient:
    """One site. Connects at the first call."""

    def __init__(self, settings: JiraSettings, now: Callable[[], float]) -> None:
        self._renewable = Renewable(settings)
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self.base = (
            f"{settings.url.rstrip('/')}/rest/api/{'3' if settings.deployment == 'cloud' else '2'}"
        )

    async def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """The answer's JSON; None where there is none. Raises Busy (nothing was done), Unclear (perhaps it was), NotFound,
        Refused, Forbidden."""
        for attempt in (1, 2):
            session = await self._connected()
            try:
                async with session.request(
                    method, f"{self.base}{path}", json=body, params=query
                ) as answer:
                    text = await answer.text(errors="replace")
                    if (
                        answer.status == 401
                        and attempt == 1
                        and self._renewable.renewed() is not None
                    ):
                        await self.close()
                        continue
                    return self._understood(answer, text, f"{method} {path.split('?')[0]}")
            except (
                aiohttp.ClientConnectorError,
                ConnectionRefusedError,
            ) as why:  # before anything was sent
                raise Busy(f"Jira at {self.base} does not answer: {why}") from None
            except (aiohttp.ClientError, TimeoutError) as why:
                raise Unclear(f"{method} {path}: {why or type(why).__name__}") from None
        raise AssertionError

    def _understood(self, answer: aiohttp.ClientResponse, text: str, call: str) -> Any:
        status = answer.status
        if 200 <= status < 300:
            try:
                return json.loads(text) if text.strip() else None
            except ValueError:
                raise Unclear(
                    f"{call}: the answer is not JSON (is there a login page at this address?)"
                ) from None
        said = _said(text)
        if status == 429:
            why = answer.headers.get("RateLimit-Reason", "too many requests")
            asked = seconds_of(answer.headers.get("Retry-After"), self._now()) or _reset(
                answer.headers, self._now()
            )
            raise Busy(f"Jira: {why}", asked)
        if status == 401:
            raise Busy(f"Jira refuses the credentials: {said} (check email and token)")
        if status == 403:
            raise Forbidden(f"{call}: not allowed: {said}")
        if status == 404:
            raise NotFound(f"{call}: {said}")
        if status >= 500 or status == 408:
            raise Unclear(f"{call}: {status} {said}")
        raise Refused(f"{call}: {status} {said}")

    async def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._renewable.settings
            headers = {"Accept": "application/json", "X-Atlassian-Token": "no-check"}
            if settings.token:
                secret = settings.token.get_secret_value()
                basic = base64.b64encode(f"{settings.email}:{secret}".encode()).decode()
                headers["Authorization"] = (
                    f"Basic {basic}" if settings.email else f"Bearer {secret}"
                )
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            self._session = http_session(settings, headers=headers, timeout=timeout)
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def _said(text: str) -> str:
    """What an error's body says: {errorMessages: […], errors: {field: text}}."""
    try:
        body = json.loads(text)
        told = [
            *map(str, body.get("errorMessages") or ()),
            *(f"{k}: {v}" for k, v in (body.get("errors") or {}).items()),
        ]
    except (ValueError, AttributeError, TypeError):
        told = []
    return "; ".join(told)[:LONGEST_TEXT] or "no reason given"


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until X-RateLimit-Reset, an ISO time."""
    at = to_micros(headers.get("X-RateLimit-Reset", ""))
    return max(0.0, at / 1e6 - now) if at else None
