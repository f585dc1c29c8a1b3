"""/live, /ready and /metrics, for whoever watches over us. Nothing here changes anything."""

import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import generate_latest

from pipeline import metrics

log = logging.getLogger("driftline.health")


class _Handler(BaseHTTPRequestHandler):
    alive: Callable[[], bool]

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, generate_latest())
        elif self.path == "/live":
            live = type(self).alive()
            self._answer(200 if live else 503, b"live\n" if live else b"the loop stands still\n")
        elif self.path == "/ready":
            ready = metrics.READY._value.get() == 1  # noqa: SLF001 - its own value, there is no other way
            self._answer(200 if ready else 503, b"ready\n" if ready else b"not ready\n")
        else:
            self._answer(404, b"there are /live, /ready and /metrics\n")

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Not a line for each request."""


def serve(bind: str, port: int, alive: Callable[[], bool] = lambda: True) -> int:
    """Answers in a thread of its own; says on which port (0 took a free one). `alive` decides what /live says."""
    handler = type("Handler", (_Handler,), {"alive": staticmethod(alive)})
    server = ThreadingHTTPServer((bind, port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.info("answering", extra={"bind": bind, "port": server.server_port})
    return server.server_port
