"""Child processes that end with this process, however it ends: each leads its own session, and a watcher tracks them."""

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from driftline.pipeline.local.reaper import forget, members

PORTS = range(15_000, 30_000)
"""Below the ports that Linux and macOS use for outgoing connections, so that none takes a port before a server listens."""
ANNOUNCE = 'echo "+$$" >&0 && exec "$@" </dev/null'
"""The child registers itself with the watcher before it executes its command, so that it cannot be missed."""

_GIVEN: set[int] = set()


def free_port() -> int:
    """A free loopback port that was not yet returned in this process."""
    for port in random.sample(PORTS, 500):
        if port in _GIVEN:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _GIVEN.add(port)
        return port
    raise RuntimeError(f"no free port on 127.0.0.1 between {PORTS.start} and {PORTS.stop}")


class _Watcher:
    """The process that ends leftover children (see reaper.py), started with the first child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipe: int | None = None

    def pipe(self) -> int:
        """The file descriptor for writing to it."""
        with self._lock:
            if self._pipe is None:
                reading, self._pipe = os.pipe()
                script = Path(__file__).with_name("reaper.py")
                subprocess.Popen(
                    [sys.executable, "-I", "-S", str(script)], stdin=reading, start_new_session=True,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
                ).returncode = 0  # it ends after this process, so nobody waits for it  # fmt: skip
                os.close(reading)
            return self._pipe

    def tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self.pipe(), f"{line}\n".encode())


_WATCHER = _Watcher()


def leave_no(folder: Path) -> None:
    """Registers a folder to be removed when this process has ended."""
    _WATCHER.tell(f"d {folder}")


def left_no(folder: Path) -> None:
    """Unregisters a folder that was removed."""
    _WATCHER.tell(f"k {folder}")


class Ending(RuntimeError):
    """No more processes are started."""


_CHILDREN: "set[Child]" = set()
_STARTING = threading.Lock()
_ending = False


def end_all() -> None:
    """Kills every child and prevents new ones: the last action of a program."""
    global _ending
    with _STARTING:
        _ending = True
    for child in list(_CHILDREN):
        child.kill()


atexit.register(end_all)


class Child:
    """A child process, including everything that it starts. Its output goes to `log`."""

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

    def start(self) -> None:
        """Starts it, unless it is running. Raises Ending."""
        if self.running:
            return
        self.kill()  # leftovers of the previous run
        with _STARTING:
            if _ending:
                raise Ending("we are about to end")
            user = self._user
            extra: list[int] | None = None if user is None else []
            with self.log.open("ab") as out:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", ANNOUNCE, "sh", *self.command], stdin=_WATCHER.pipe(), stdout=out,
                    stderr=subprocess.STDOUT, env=self._env, start_new_session=True,
                    user=user, group=user, extra_groups=extra,
                )  # fmt: skip
            _CHILDREN.add(self)

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

    def wait(self, seconds: float | None = None) -> int:
        """Its exit code once it has ended. Raises TimeoutError."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.command[0]} is still running after {seconds} s") from None

    def stop(self, seconds: float = 20) -> float:
        """Sends SIGTERM, then SIGKILL; returns how long it took."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            self.wait(seconds)
        self.kill()
        return time.monotonic() - began

    def kill(self) -> None:
        """Sends SIGKILL to it and everything it started, even if it has ended itself."""
        process = self._process
        if process is None or self not in _CHILDREN:
            return
        pids = members([process.pid])
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        forget(pids)
        _CHILDREN.discard(self)
        _WATCHER.tell(f"-{process.pid}")

    def tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def wait_until(
    ready: Callable[[], bool],
    seconds: float,
    child: Child | None = None,
    what: str = "it",
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Polls until `ready`. Raises RuntimeError with the end of the child's log if it died or took too long, measured by `clock`."""
    end = clock() + seconds
    while not ready():
        if child is not None and not child.running:
            raise RuntimeError(f"{what} ended with {child.code}; its log ends:\n{child.tail()}")
        if clock() > end:
            log = f"; its log ends:\n{child.tail()}" if child else ""
            raise RuntimeError(f"{what} was not ready within {seconds:.0f} s{log}")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether a loopback port accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
