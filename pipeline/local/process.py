"""Child processes that end when we do: own session, killed with their parent, never left behind."""

import atexit
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PR_SET_PDEATHSIG = 1
_SPAWNER = ThreadPoolExecutor(1, "spawner")
"""Starts every child: the death signal comes when the *thread* ends that started it, so it must be one that stays."""


def free_port() -> int:
    """A port on loopback that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One process of ours. `log` gets its output."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> None:
        self.command, self.log = list(command), log
        self._env, self._user = dict(env) if env is not None else None, user
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        atexit.register(self.kill)

    def start(self) -> None:
        if not self.running:
            _SPAWNER.submit(self._spawn).result()

    def _spawn(self) -> None:
        user = self._user
        extra: list[int] | None = None if user is None else []
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env=self._env, start_new_session=True, preexec_fn=_die_with_parent,
                user=user, group=user, extra_groups=extra,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def code(self) -> int | None:
        return self._process.poll() if self._process else None

    def signal(self, number: int) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self, seconds: float = 20) -> float:
        """SIGTERM, then SIGKILL; says how long it took."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        try:
            if self._process:
                self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL to the whole session."""
        if self.running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            if self._process:
                self._process.wait()

    def tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def wait_until(
    ready: Callable[[], bool], seconds: float, child: Child | None = None, what: str = "it"
) -> None:
    """Polls until `ready`. Raises RuntimeError with the end of the child's log when it died or took too long."""
    end = time.monotonic() + seconds
    while not ready():
        if child is not None and not child.running:
            raise RuntimeError(f"{what} ended with {child.code}; its log ends:\n{child.tail()}")
        if time.monotonic() > end:
            log = f"; its log ends:\n{child.tail()}" if child else ""
            raise RuntimeError(f"{what} was not ready within {seconds:.0f} s{log}")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
