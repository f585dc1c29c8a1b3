"""A gate before a real Elasticsearch, that spoils requests as a test says. A fault is asked about each bulk."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


@contextmanager
def gate(port: int) -> Iterator[Gate]:
    """A gate on loopback before the node at `port`."""
    mine = Gate(port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self, body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
            connection = http.client.HTTPConnection("127.0.0.1", mine.to, timeout=30)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "accept-encoding"}
            try:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read(), answer.getheaders()
            finally:
                connection.close()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers: list[tuple[str, str]] = [("Content-Type", "application/json")]
            try:
                if "_bulk" in self.path:
                    status, said = mine.bulk(lambda: _parsed(self._forward(body)))
                    text = json.dumps(said).encode()
                    headers.append(("X-Elastic-Product", "Elasticsearch"))
                else:
                    status, text, headers = self._forward(body)
            except (Cut, OSError, http.client.HTTPException):
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that was killed is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    mine.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield mine
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _parsed(answer: tuple[int, bytes, list[tuple[str, str]]]) -> Answer:
    return answer[0], json.loads(answer[1])
