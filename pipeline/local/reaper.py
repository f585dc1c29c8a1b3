"""Ends the children of another program and removes its folders once that program has ended, in whatever way.

Run as a script with a pipe as its input. Each line is `+PID` (a process group leader), `-PID` (it has ended),
`d PATH` (a folder to remove) or `k PATH` (it was removed). At the end of the input, the rest is killed and removed.
Imports little, and only from the standard library, because it starts with every test."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

PATIENCE = 15.0


def told(lines: list[str]) -> tuple[list[int], list[str]]:
    """The remaining groups and folders after these lines. Pure."""
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
    """The processes of these groups, from /proc or, if it does not exist (macOS), from `ps`."""
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
    """Removes files that a killed JVM leaves in the system's temporary folder, for which no option exists."""
    for pid in pids:
        for folder in {"/tmp", os.environ.get("TMPDIR", "/tmp")}:  # noqa: S108 - Java's own place
            with contextlib.suppress(OSError):
                os.unlink(f"{folder}/.java_pid{pid}")


def end(groups: list[int], folders: list[str]) -> None:
    """Kills the groups and removes the folders, repeatedly while a dying process still writes into them."""
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
