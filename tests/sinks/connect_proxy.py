"""An HTTP proxy on loopback that asks for a login: it opens tunnels (CONNECT) and passes on plain requests."""

import base64
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.forward import Forwarder, serving


class Visits:
    """What came by it. `login`: user and password that it asks for."""

    def __init__(self, login: str) -> None:
        self.login, self.url = login, ""
        self.passed: list[str] = []
        """Method and host of each that was let through."""
        self.refused = 0


class _Handler(Forwarder):
    visits: Visits

    def serve(self, body: bytes) -> None:
        there = urlsplit(self.path)
        if self._allowed(there.netloc):
            self.to, self.path = there.netloc, there.path + (f"?{there.query}" if there.query else "")  # fmt: skip
            self.reply(*self.forward(body))

    def do_CONNECT(self) -> None:
        if self._allowed(self.path):
            self._tunnel()

    def _tunnel(self) -> None:
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            both = [self.connection, far]
            while ready := select.select(both, [], [], 30)[0]:
                for one in ready:
                    data = one.recv(65_536)
                    if not data:
                        return self.cut()
                    (far if one is self.connection else self.connection).sendall(data)
        return None

    def _allowed(self, host: str) -> bool:
        wanted = f"Basic {base64.b64encode(self.visits.login.encode()).decode()}"
        if self.headers.get("Proxy-Authorization") != wanted:
            self.visits.refused += 1
            self.reply(407, [("Proxy-Authenticate", "Basic")], b"")
            return False
        self.visits.passed.append(f"{self.command} {host}")
        return True


@contextmanager
def proxying(login: str) -> Iterator[Visits]:
    """For as long as it is needed."""
    visits = Visits(login)
    with serving(_Handler, visits=visits) as visits.url:
        yield visits
