"""Ends what another program started, and removes its folders, once that program is gone: however it ended.

Run as a script, with a pipe as its input. Each line is `+PID` (a process that leads a group), `-PID` (it has ended),
`d PATH` (a folder to remove) or `k PATH` (it is gone already). At the pipe's end what is left is killed and removed.
The standard library only, and little of it: it starts with every test."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

PATIENCE = 15.0


def told(lines: list[str]) -> tuple[list[int], list[str]]:
    """The groups and the folders that are left after these lines. Pure."""
    groups: dict[int, None] = {}
    folders: dict[str, None] = {}
    for line in lines:
        kind, rest = line[:1], line[1:].strip()
        if kind == "+" and rest.isdigit():
            groups[int(rest)] = None
        elif kind == "-" and rest.isdigit():
            groups.pop(int(rest), None)
        elif kind == "d" and rest:
            folders[rest] = None
        elif kind == "k":
            folders.pop(rest, None)
    return list(groups), list(folders)


def members(groups: list[int]) -> list[int]:
    """The processes of these groups: of all that /proc lists or, where there is none (macOS), `ps`."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        told = subprocess.run(
            ["/bin/ps", "-A", "-o", "pid="], capture_output=True, text=True, check=False
        )
        pids = [int(word) for word in told.stdout.split()]
    out = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) in groups:
                out.append(pid)
    return out


def forget(pids: list[int]) -> None:
    """Removes what a killed Java leaves in the system's temporary folder, where no option moves it from."""
    for pid in pids:
        for folder in {"/tmp", os.environ.get("TMPDIR", "/tmp")}:  # noqa: S108 - Java's own place
            with contextlib.suppress(OSError):
                os.unlink(f"{folder}/.java_pid{pid}")


def end(groups: list[int], folders: list[str]) -> None:
    """Kills the groups and removes the folders, again while somebody who dies still writes into them."""
    until = time.monotonic() + PATIENCE
    pids = members(groups) if groups else []
    while True:
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        forget(pids)
        if not any(os.path.lexists(folder) for folder in folders) or time.monotonic() > until:
            return
        time.sleep(0.05)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(*told(sys.stdin.read().splitlines()))
