"""Ctrl-C while every thread of a scan waits for an answer: over at once, and told."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.collectors.moto import ENV

HERE = ("--regions", "us-east-1", "--type", "AWS::SQS::Queue")


class Silent:
    """An AWS that says who calls, then takes calls and never answers."""

    WHO = (
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:root</Arn><UserId>1</UserId>"
        "<Account>111111111111</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )

    def __init__(self, knows_caller: bool) -> None:
        self.asked = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._answers, self._open = [self.WHO] * knows_caller, list[socket.socket]()
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        try:
            while True:
                connection, _ = self._server.accept()
                self._open.append(connection)
                if not self._answers:
                    self.asked.set()
                    continue
                connection.recv(65_536)
                body = self._answers.pop().encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # closed

    def close(self) -> None:
        for one in (self._server, *self._open):
            one.close()


@pytest.fixture(params=[False, True], ids=["at the start", "in mid-sweep"])
def silent(request: pytest.FixtureRequest) -> Iterator[Silent]:
    server = Silent(request.param)
    yield server
    server.close()


def test_ctrl_c_ends_it_quickly(silent: Silent, tmp_path: Path) -> None:
    """A thread waits for an answer then, half a minute if need be; it does not hold the command."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DRIFTLINE_"))} | ENV
    command = [
        sys.executable,
        "-m",
        "driftline.pipeline",
        "scan",
        "aws",
        *HERE,
        "--format",
        "json",
        "--output",
        str(tmp_path / "r"),
    ]
    child = subprocess.Popen(
        command, env=env | {"AWS_ENDPOINT_URL": silent.url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )  # fmt: skip
    try:
        assert silent.asked.wait(30)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait()
    assert time.monotonic() - began < 15  # not the half minute
    assert (child.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert "Exception" not in err
    assert not (tmp_path / "r").read_text()
