"""Forward to a file, one JSON object per line. For file shippers (Filebeat, Fluent Bit, Vector, a forwarder).

Only what happens is written: no restatements, and nothing for a finding that is forgotten. What was written is remembered in the topic `delivered`. A line is written
twice only where the sink is killed between the write and its record there, or a disk reports an error for what it has written: of the lines
of one `id`, the one with the highest `revision` stands. A file that was moved away (logrotate) is made anew."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from driftline.pipeline.common.environment_errors import describe_os_error
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.records.topics import FINDINGS, Topic
from driftline.sinks.base import Action, Busy, Limits, Receipt
from driftline.sinks.module import SinkContext
from driftline.sinks.ndjson.settings import NdjsonSettings

kind = "ndjson"
Settings = NdjsonSettings
topics: tuple[Topic, ...] = (FINDINGS,)
references = False
transitions_only = True


class NdjsonSink:
    """Appends lines; a receipt is given after fsync."""

    topics = topics
    limits = Limits()
    transitions_only = transitions_only

    def __init__(self, path: Path) -> None:
        self._path = path

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:  # noqa: ARG002 - as sinks do
        """The unmodified finding, for every revision with a change."""
        id, revision = document["id"], int(document["revision"])
        return [Action("append", str(self._path), f"{id}:{revision}", revision, document)]

    def forget(self, topic: str, key: str, at: int) -> list[Action]:  # noqa: ARG002
        """Nothing is deleted from a file."""
        return []

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        """One write and one fsync for all. Findings are sensitive: only the owner can read the file."""
        lines = b"".join(orjson.dumps(action.body) + b"\n" for action in actions)
        try:
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                end = os.fstat(file).st_size
                if end and os.pread(file, 1, end - 1) != b"\n":
                    lines = b"\n" + lines  # a previous process was killed within a line
                try:
                    while lines:
                        lines = lines[os.write(file, lines) :]
                    os.fsync(file)
                except OSError:
                    os.ftruncate(file, end)  # a full disk must not leave half a line
                    raise
            finally:
                os.close(file)
        except OSError as why:
            raise Busy(f"{self._path}: {why.strerror}") from None
        return [Receipt("done")] * len(actions)

    async def close(self) -> None:
        """Nothing to close."""


def create(settings: NdjsonSettings, context: SinkContext) -> NdjsonSink:
    """Raises UserError if the file cannot be written."""
    path = settings.path
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    except OSError as error:
        found = describe_os_error(error) or Problem(error)
        raise UserError(found.under(f"{context.name}.path")) from None
    return NdjsonSink(path)
