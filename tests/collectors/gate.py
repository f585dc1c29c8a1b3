"""A gate before the simulated AWS: it notes every request, and answers some of them itself, as a test says."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import parse_qs

from driftline.collectors.aws.shapes import service_model
from tests.forward import Forwarder, serving

SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


class Asked(NamedTuple):
    """One request."""

    service: str
    region: str
    operation: str
    """The operation where the protocol says it, else method and path."""
    body: str
    at: float


class Answer(NamedTuple):
    status: int
    code: str


CUT = Answer(0, "")
"""The connection ends without an answer."""
Fault = Callable[[Asked], Answer | None]


class Gate:
    """`fault` may be exchanged at any time."""

    def __init__(self) -> None:
        self.url = ""
        self.fault: Fault = lambda _: None
        self.asked: list[Asked] = []

    def count(self, operation: str) -> int:
        return sum(asked.operation == operation for asked in self.asked)


def error(asked: Asked, answer: Answer) -> tuple[str, bytes]:
    """An error in the form of the service's protocol: content type and body."""
    names = {"s3": "s3control"} if "/v20180820/" in asked.operation else {}
    protocol = service_model(names.get(asked.service, asked.service)).metadata["protocol"]
    if "json" in protocol:
        return "application/x-amz-json-1.1", json.dumps({"__type": answer.code, "message": "no"}).encode()  # fmt: skip
    inner = f"<Error><Code>{answer.code}</Code><Message>no</Message></Error>"
    if protocol == "ec2":
        inner = f"<Response><Errors>{inner}</Errors><RequestID>1</RequestID></Response>"
    elif asked.service != "s3":
        inner = f"<ErrorResponse>{inner}<RequestId>1</RequestId></ErrorResponse>"
    return "text/xml", inner.encode()


class _Handler(Forwarder):
    gate: Gate

    def serve(self, body: bytes) -> None:
        found = SCOPE.search(self.headers.get("Authorization", ""))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        text = body.decode(errors="replace")
        operation = target or parse_qs(text).get("Action", [""])[0] or f"{self.command} {self.path}"
        service, region = (found[3], found[2]) if found else ("", "")
        asked = Asked(service, region, operation, text, time.monotonic())
        self.gate.asked.append(asked)
        answer = self.gate.fault(asked)
        if answer is CUT:
            self.cut()
        elif answer is not None:
            kind, data = error(asked, answer)
            self.reply(answer.status, [("Content-Type", kind), ("x-amzn-errortype", answer.code)], data)  # fmt: skip
        else:
            self.reply(*self.forward(body))


@contextmanager
def gate(to: str) -> Iterator[Gate]:
    """A gate on loopback before the endpoint `to`."""
    mine = Gate()
    with serving(_Handler, to, gate=mine) as mine.url:
        yield mine
