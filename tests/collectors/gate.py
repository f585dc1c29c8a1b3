"""A gate before the simulated AWS: it notes every request, and answers some of them itself, as a test says."""

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from collectors.aws.shapes import service_model

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

    def __init__(self, to: str) -> None:
        self.to, self.url = urlsplit(to).netloc, ""
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gate: Gate

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = SCOPE.search(self.headers.get("Authorization", ""))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        text = body.decode(errors="replace")
        operation = target or parse_qs(text).get("Action", [""])[0] or f"{self.command} {self.path}"
        service, region = (found[3], found[2]) if found else ("", "")
        asked = Asked(service, region, operation, text, time.monotonic())
        self.gate.asked.append(asked)
        answer = self.gate.fault(asked)
        if answer is CUT:
            self.close_connection = True
            self.connection.close()
            return
        if answer is not None:
            kind, data = error(asked, answer)
            self._answer(answer.status, {"Content-Type": kind, "x-amzn-errortype": answer.code}, data)  # fmt: skip
            return
        there = http.client.HTTPConnection(self.gate.to, timeout=30)
        try:
            there.request(self.command, self.path, body, dict(self.headers))
            got = there.getresponse()
            self._answer(got.status, dict(got.getheaders()), got.read())
        finally:
            there.close()

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):  # fmt: skip
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _pass

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked was killed meanwhile, or the one behind us: there is nobody to tell."""


@contextmanager
def gate(to: str) -> Iterator[Gate]:
    """A gate on loopback before the endpoint `to`."""
    mine = Gate(to)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"gate": mine}))
    mine.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield mine
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
