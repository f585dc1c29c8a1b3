"""Documents that a restatement does not find (previously refused, or deleted manually) are written again from the
topic of findings. Runs concurrently with deliveries: versions keep the newer document."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from confluent_kafka import KafkaException

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka.client import read_all
from driftline.pipeline.records.topics import FINDINGS, partition
from driftline.sinks.base import Action, Busy, Receipt
from driftline.sinks.elasticsearch.render import ALIAS
from driftline.sinks.elasticsearch.restate import onto
from driftline.sinks.module import SinkContext

log = logging.getLogger("driftline.sink")
EVERY = 600.0
"""Minimum seconds between reads of the topic, so that the cost does not grow with the number of refused documents."""
MOST = 50_000
"""Maximum number of documents searched at once; others follow with their next restatement."""
Render = Callable[[str, dict[str, Any], int], list[Action]]
Write = Callable[[Sequence[Action]], Awaitable[list[Receipt]]]


class Missing:
    """Searches for missing documents, a few partitions at a time."""

    def __init__(
        self,
        context: SinkContext,
        render: Render,
        write: Write,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context, self._render, self._write, self._now = context, render, write, now
        self._wanted: dict[str, Action] = {}
        self._hopeless: dict[str, int] = {}
        """Maps finding ids to revisions that are refused or cannot be found."""
        self._task: asyncio.Task[None] | None = None
        self._looked = float("-inf")
        self._closing = threading.Event()

    def want(self, restatement: Action) -> None:
        """Requests that the document of a restatement be written."""
        id, revision = restatement.id, (restatement.body or {})["revision"]
        known = self._wanted.get(id)
        if self._hopeless.get(id) == revision or (known and known.version >= restatement.version):
            return
        if known or len(self._wanted) < MOST:
            self._wanted[id] = restatement

    def look(self) -> None:
        """Starts a search, if it is due."""
        waits = self._task is not None and not self._task.done()
        if not self._wanted or waits or self._now() - self._looked < EVERY:
            return
        self._looked = self._now()
        wanted, self._wanted = self._wanted, {}
        self._task = asyncio.ensure_future(self._again(wanted))

    async def done(self) -> None:
        """Waits until no search is running."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def close(self) -> None:
        """Stops it; documents not written follow with their next restatement."""
        self._closing.set()
        await self.done()

    async def _again(self, wanted: dict[str, Action]) -> None:
        try:
            found = await asyncio.to_thread(self._scan, wanted)
            if not self._closing.is_set():
                await self._written(wanted, found)
        except (KafkaException, UserError, Busy, OSError) as why:
            log.warning("missing documents were not written; later", extra={"why": str(why)[:300]})

    def _scan(self, wanted: dict[str, Action]) -> dict[str, bytes]:
        """The latest records of findings that have not ended."""
        found: dict[str, bytes] = {}
        places = {partition(id) for id in wanted}
        for message in read_all(self._context.kafka, FINDINGS.name, dict.fromkeys(places, 0)):
            if self._closing.is_set():
                break
            id = (message.key() or b"").decode(errors="replace")
            if id not in wanted:
                continue
            if message.value() is None:
                found.pop(id, None)
            else:
                found[id] = message.value()
        return found

    async def _written(self, wanted: dict[str, Action], found: dict[str, bytes]) -> None:
        if len(self._hopeless) > MOST:
            self._hopeless.clear()
        actions = []
        for id, restatement in wanted.items():
            action = self._action(restatement, found[id]) if id in found else None
            if action is None:
                self._hopeless[id] = (restatement.body or {})["revision"]
            else:
                actions.append(action)
        receipts = await self._write(actions) if actions else []
        for action, receipt in zip(actions, receipts, strict=True):
            if receipt.kind == "never":  # it was dead-lettered
                self._hopeless[action.id] = (wanted[action.id].body or {})["revision"]
            elif receipt.kind == "again":
                self.want(wanted[action.id])
        done = sum(receipt.kind == "done" for receipt in receipts)
        log.info("missing documents", extra={"looked_for": len(wanted), "written": done})

    def _action(self, restatement: Action, raw: bytes) -> Action | None:
        """The upsert of a finding, with its restatement if that belongs to this revision."""
        now = int(time.time() * 1e6)
        try:
            finding = orjson.loads(raw)
            given = self._context.given(FINDINGS.name, finding)
            if given is None:
                return None
            rendered = self._render(FINDINGS.name, given, now)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # it was dead-lettered
        action = next((a for a in rendered if a.target == ALIAS and a.body is not None), None)
        told = restatement.body or {}
        if action is None or action.version != told["revision"]:
            return action
        return onto(action, told["last_seen"], now)
