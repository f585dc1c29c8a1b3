"""Serves /live, /ready and /metrics. Read-only.

One thread serves all connections. Time and size of requests are limited, and so is the time for receiving the response;
beyond MOST_OPEN connections the oldest is closed, so that probes are answered even if other clients keep connections open."""

import asyncio
import errno
import logging
import os
import socket
import threading
from collections.abc import Callable

from prometheus_client import generate_latest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.ops import metrics

log = logging.getLogger("driftline.health")
PATIENCE = 5.0
"""Maximum duration of a connection, up to the last byte of the response, in seconds."""
LONGEST = 8192
"""Maximum size of a request's line and headers in bytes."""
MOST_OPEN = 64
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable",
           408: "Request Timeout", 431: "Request Header Fields Too Large"}  # fmt: skip


class _Page:
    def __init__(self, alive: Callable[[], bool]) -> None:
        self._alive = alive
        self._open: dict[asyncio.StreamWriter, None] = {}
        """The oldest first."""

    async def serve(self, listening: socket.socket) -> None:
        server = await asyncio.start_server(self._connected, sock=listening, limit=LONGEST)
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(self._open) >= MOST_OPEN:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        writer.transport.set_write_buffer_limits(
            0
        )  # so that drain() waits until everything is sent
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(await self._answer(reader))
                await writer.drain()
            writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.pop(writer, None)
            if not writer.is_closing():
                writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _said(431, b"the request is too long\n")
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _said(400, b"no request of HTTP/1.1\n")
        if words[0] != b"GET":
            return _said(405, b"only GET\n")
        return self._page(words[1].split(b"?")[0])

    def _page(self, path: bytes) -> bytes:
        if path == b"/metrics":
            return _said(200, generate_latest())
        if path == b"/live":
            live = self._alive()
            return _said(200 if live else 503, b"live\n" if live else b"the loop stands still\n")
        if path == b"/ready":
            ready = metrics.READY._value.get() == 1  # noqa: SLF001 - its own value, there is no other way
            return _said(200 if ready else 503, b"ready\n" if ready else b"not ready\n")
        return _said(404, b"there are /live, /ready and /metrics\n")


def _said(code: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {code} {REASONS[code]}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def listen(bind: str, port: int, setting: str) -> socket.socket:
    """Binds the socket early; requests are served later. Raises UserError, with the name of the port's setting, if
    the address is not available."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family, backlog=MOST_OPEN)
    except OSError as error:
        where = f"{setting}: {bind}:{port}"
        if error.errno == errno.EADDRINUSE:
            step = f"another program, perhaps another instance of this one, uses it; give each its own {setting}"
            raise UserError(f"{where} is in use", fix=step) from None
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise UserError(why, fix="choose another address or port", place=where) from None


def serve(listening: socket.socket, alive: Callable[[], bool] = lambda: True) -> int:
    """Serves requests in a separate thread; returns the port. `alive` determines the response of /live."""
    bind = listening.getsockname()[0]
    own = int(listening.getsockname()[1])
    loop = asyncio.SelectorEventLoop()  # independent of the program's own event loop
    page = _Page(alive).serve(listening)
    threading.Thread(
        target=loop.run_until_complete, args=(page,), daemon=True, name="health"
    ).start()
    log.info("answering", extra={"bind": bind, "port": own})
    return own
