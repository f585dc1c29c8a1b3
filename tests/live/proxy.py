"""A gate before a real Elasticsearch, that spoils requests as a test says. A fault is asked about each bulk."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from tests.forward import Forwarder, Headers, serving

JSON = [("Content-Type", "application/json"), ("X-Elastic-Product", "Elasticsearch")]
Answer = tuple[int, dict[str, Any]]
Fault = Callable[["Bulk"], Answer | None]


class Bulk:
    """One bulk request on its way. `forward()` lets it through and gives the node's own answer."""

    def __init__(self, number: int, forward: Callable[[], Answer]) -> None:
        self.number, self.forward = number, forward


class Cut(Exception):
    """The connection is to end without an answer."""


class Gate:
    """`fault` may be exchanged at any time; `seen` counts bulks."""

    def __init__(self, port: int) -> None:
        self.fault: Fault = passing
        self.to, self.seen, self.url = port, 0, ""

    def bulk(self, forward: Callable[[], Answer]) -> Answer:
        self.seen += 1
        answer = self.fault(Bulk(self.seen, forward))
        return forward() if answer is None else answer


def passing(bulk: Bulk) -> Answer | None:
    """No fault."""
    return None


class _Handler(Forwarder):
    gate: Gate

    def serve(self, body: bytes) -> None:
        try:
            if "_bulk" in self.path:
                status, said = self.gate.bulk(lambda: _parsed(self.forward(body)))
                self.reply(status, JSON, json.dumps(said).encode())
            else:
                self.reply(*self.forward(body))
        except (Cut, OSError, HTTPException):
            self.cut()


@contextmanager
def gate(port: int) -> Iterator[Gate]:
    """A gate on loopback before the node at `port`."""
    mine = Gate(port)
    with serving(_Handler, f"127.0.0.1:{port}", gate=mine) as mine.url:
        yield mine


def _parsed(answer: tuple[int, Headers, bytes]) -> Answer:
    return answer[0], json.loads(answer[2])
