"""A server on loopback between a client and the real one: what a test's gate is made of."""

import http.client
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

NOT_PASSED = {"accept-encoding", "content-length"}
"""Headers of a request that are not its sender's to say: a test may have changed the body."""
Headers = Iterable[tuple[str, str]]
OWN = {"content-length", "transfer-encoding", "connection", "date", "server"}
"""Headers of a reply that are ours to write."""


class Forwarder(BaseHTTPRequestHandler):
    """One request. `serve` is told its body and calls forward, reply or cut."""

    protocol_version = "HTTP/1.1"
    to: str
    """Host and port of the real one."""

    def serve(self, body: bytes) -> None:
        raise NotImplementedError

    def forward(self, body: bytes) -> tuple[int, Headers, bytes]:
        """The real one's answer. Raises OSError or HTTPException where there is none."""
        there = http.client.HTTPConnection(self.to, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_PASSED}
        try:
            there.request(self.command, self.path, body, headers)
            got = there.getresponse()
            return got.status, got.getheaders(), got.read()
        finally:
            there.close()

    def reply(self, status: int, headers: Headers, data: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def cut(self) -> None:
        """The connection ends without an answer."""
        self.close_connection = True
        self.connection.close()

    def _serve(self) -> None:
        self.serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: Callable[[], ssl.SSLContext] | None = None
    """The context of the next connection."""

    def get_request(self) -> tuple[Any, Any]:
        """A connection; its handshake is its own thread's."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls().wrap_socket(connection, server_side=True, do_handshake_on_connect=False)  # fmt: skip
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked was killed meanwhile, or the one behind us: there is nobody to tell."""


@contextmanager
def serving(
    handler: type[Forwarder], to: str = "", tls: Callable[[], ssl.SSLContext] | None = None, **own: Any
) -> Iterator[str]:  # fmt: skip
    """Its URL, for as long as it is needed. `to`: host and port, or URL, of the real one; `tls`: the context of each new
    connection; `own`: what handlers share."""
    shared = {"to": urlsplit(to).netloc or to, **own}
    server = _Server(("127.0.0.1", 0), type("Handler", (handler,), shared))
    server.tls = tls
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
