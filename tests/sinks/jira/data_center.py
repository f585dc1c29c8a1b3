"""A Jira Data Center on loopback that is not ours (the package jira820: stateful, REST v2), behind a gate that can spoil it."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from driftline.pipeline.local.process import Child, answers, free_port, wait_until
from tests.forward import Forwarder, serving

PROJECT = "JIRA820"


class Gate:
    """What goes wrong between us and Jira. `faults`: of the next requests, the first first: "" (nothing), "cut" (done, the
    answer is lost), "lost" (it never arrives), "error" (500, done), "busy" (429), "refused" (401)."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.only = ""
        """The method and path that the faults are for, as `POST /issue`; empty: any."""
        self.seen: list[str] = []
        self.lock = threading.Lock()

    def next(self, call: str) -> str:
        with self.lock:
            self.seen.append(call)
            return self.faults.pop(0) if self.faults and call.endswith(self.only) else ""


class _Handler(Forwarder):
    gate: Gate

    def serve(self, body: bytes) -> None:
        call = f"{self.command} {self.path.partition('?')[0].removeprefix('/rest/api/2')}"
        fault = self.gate.next(call)
        try:
            if fault == "lost":
                return self.cut()
            if fault == "busy":
                more = [("Retry-After", "3"), ("RateLimit-Reason", "jira-burst-based")]
                return self.reply(429, more, b"{}")
            if fault == "refused":
                return self.reply(401, [], b'{"errorMessages": ["no"]}')
            answer = self.forward(body)
            if fault == "cut":
                return self.cut()
            return self.reply(500, [], b"") if fault == "error" else self.reply(*answer)
        except (OSError, HTTPException):
            return self.cut()


class DataCenter:
    """The running double, and what a person does in it."""

    def __init__(self, url: str, direct: str, gate: Gate) -> None:
        self.url, self.gate = url, gate
        self._direct = direct
        """Past the gate."""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = Request(
            f"{self._direct}/rest/api/2{path}",
            data,
            {"Content-Type": "application/json"},
            method=method,
        )
        with urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def labelled(self, label: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(
            "GET", f"/search?jql=labels%20%3D%20%22{label}%22&maxResults=50"
        )["issues"]
        return found


@contextmanager
def data_center(folder: Path) -> Iterator[DataCenter]:
    port = free_port()
    env = {"JIRA820_PORT": str(port), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    child = Child([sys.executable, "-m", "jira820"], folder / "jira820.log", env)
    try:
        wait_until(lambda: answers(port), 60, child, "jira820")
        gate = Gate()
        with serving(_Handler, f"127.0.0.1:{port}", gate=gate) as url:
            yield DataCenter(url, f"http://127.0.0.1:{port}", gate)
    finally:
        child.stop()
