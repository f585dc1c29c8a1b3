"""A small issuer of tokens on loopback: client credentials in, signed tokens out, its public key for the broker."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER, AUDIENCE, SCOPE = "https://issuer.example", "driftline-kafka", "kafka"


class Issuer:
    """Its clients are a name and a secret; `lifetime` is what its tokens have, in seconds."""

    def __init__(self, clients: dict[str, str], lifetime: int = 300) -> None:
        self.clients, self.lifetime = clients, lifetime
        self.given = 0
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)

    def keys(self) -> dict[str, Any]:
        """The key set that the broker asks for."""
        public = self._key.public_key().public_numbers()
        own = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "n": _number(public.n), "e": _number(public.e)}  # fmt: skip
        return {"keys": [own]}

    def token(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """The answer to a request for a token: status and body."""
        try:
            name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")  # fmt: skip
        except ValueError:
            name = secret = ""
        if not name or self.clients.get(name) != secret:
            return 401, {"error": "invalid_client"}
        if (form.get("grant_type"), form.get("scope")) != (["client_credentials"], [SCOPE]):
            return 400, {"error": "invalid_request"}
        self.given += 1
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": name, "scope": SCOPE, "iat": now, "exp": now + self.lifetime}  # fmt: skip
        head = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (head, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        token = f"{signed}.{_text(signature)}"
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8))


@contextmanager
def serving(issuer: Issuer, certificate: Path, key: Path) -> Iterator[tuple[str, str]]:
    """The addresses of its tokens (https) and of its keys (http)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, issuer.keys())

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._answer(*issuer.token(self.headers.get("Authorization", ""), form))

        def _answer(self, code: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Not a line for each request."""

    tokens, keys = (ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    tokens.socket = context.wrap_socket(tokens.socket, server_side=True)
    for server in (tokens, keys):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://localhost:{tokens.server_port}/token", f"http://localhost:{keys.server_port}/keys"  # fmt: skip
    finally:
        for server in (tokens, keys):
            server.shutdown()
            server.server_close()
