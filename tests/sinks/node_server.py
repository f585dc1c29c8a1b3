"""An Elasticsearch on loopback that can be spoilt: a double in memory that refuses what it does not know, or a gate before a
real node."""

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

import orjson

from tests.forward import Forwarder, serving
from tests.sinks.conformance import ASKED
from tests.sinks.node import Node

JSON = [("Content-Type", "application/json"), ("X-Elastic-Product", "Elasticsearch")]
KNOWN = {
    "index": {"_index", "_id", "version", "version_type", "require_alias"},
    "create": {"_index", "_id"},
    "delete": {"_index", "_id", "version", "version_type"},
}
"""What a head of a bulk may say here."""
Item = tuple[str, dict[str, Any], list[bytes]]
"""Operation, what its head says, and its lines."""


class Spoilt:
    """What goes wrong at a node. `password`: what it takes; None: it asks for none."""

    def __init__(self, node: Node | None) -> None:
        self.node, self.refused, self.url = node, set[str](), ""
        self.kind, self.times = "", 0
        self.password: str | None = None
        self.unknown: list[str] = []
        """Requests that the double does not know."""
        self.context: ssl.SSLContext | None = None
        """Of TLS; connections of another one end."""

    def next(self) -> str:
        """The fault of the next bulk."""
        if self.times == 0:
            return ""
        self.times -= 1
        return self.kind


class _Handler(Forwarder):
    spoilt: Spoilt

    def serve(self, body: bytes) -> None:
        try:
            self._serve_json(body)
        except (OSError, HTTPException):
            self.cut()

    def _serve_json(self, body: bytes) -> None:
        if self.spoilt.context is not getattr(self.connection, "context", None):
            return self.cut()
        if not self._allowed():
            return self._say(401, {"error": {"type": "security_exception", "reason": "no"}})
        if not self.path.startswith("/_bulk"):
            return self._else(body)
        fault = self.spoilt.next()
        if fault in ("throttled", "asked"):
            more = [("Retry-After", f"{ASKED:.0f}")] if fault == "asked" else []
            return self._say(429, {"error": "full", "status": 429}, more)
        if fault == "away":
            return self.cut()
        answer = self._bulk(_items(body))
        return self.cut() if fault == "silent" else self._say(200, answer)

    def _allowed(self) -> bool:
        if self.spoilt.password is None:
            return True
        expected = base64.b64encode(f"me:{self.spoilt.password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _bulk(self, items: list[Item]) -> dict[str, Any]:
        """The answer to a bulk, whose refused items go no further."""
        good = [item for item in items if item[1]["_id"].rsplit(":", 1)[0] not in self.spoilt.refused]  # fmt: skip
        answers = iter(self._written(good))
        refused = {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no"}}
        return {"items": [next(answers) if item in good else {item[0]: refused} for item in items]}

    def _written(self, items: list[Item]) -> list[dict[str, Any]]:
        if not items:
            return []
        if self.spoilt.node is None:
            body = b"".join(line + b"\n" for item in items for line in item[2])
            status, _, data = self.forward(body)
            assert status == 200, data
            return list(json.loads(data)["items"])
        return [self._one(self.spoilt.node, *item) for item in items]

    def _one(
        self, node: Node, name: str, head: dict[str, Any], lines: list[bytes]
    ) -> dict[str, Any]:
        if not set(head) <= KNOWN.get(name, set()):
            self.spoilt.unknown.append(f"{name} {head}")
            return {name: {"status": 400, "error": {"type": "unknown", "reason": str(head)}}}
        body = orjson.loads(lines[1]) if len(lines) > 1 else None
        return {name: {"status": node._one(name, head, body)}}

    def _else(self, body: bytes) -> None:
        if self.spoilt.node is None:
            return self.reply(*self.forward(body))
        if not self.path.endswith("/_mget"):
            self.spoilt.unknown.append(self.path)
            return self._say(400, {"error": f"no such path: {self.path}"})
        return self._say(
            200, {"docs": [self.spoilt.node._get(id) for id in json.loads(body)["ids"]]}
        )

    def _say(self, status: int, answer: Any, more: list[tuple[str, str]] | None = None) -> None:
        self.reply(status, [*JSON, *(more or [])], orjson.dumps(answer))


def _items(body: bytes) -> list[Item]:
    out: list[Item] = []
    lines = iter(body.rstrip(b"\n").split(b"\n"))
    for line in lines:
        [(name, head)] = orjson.loads(line).items()
        out.append((name, head, [line] if name == "delete" else [line, next(lines)]))
    return out


@contextmanager
def spoilt(
    node: Node | None, to: str = "", context: ssl.SSLContext | None = None
) -> Iterator[Spoilt]:
    """On loopback: a double, or a gate before the node at `to` (host:port)."""
    mine = Spoilt(node)
    mine.context = context

    def tls() -> ssl.SSLContext:
        assert mine.context
        return mine.context

    with serving(_Handler, to, tls if context else None, spoilt=mine) as mine.url:
        yield mine
