"""Installs the pinned packages into this environment, and says how far it is: which of how many, and how large.

Run by `make venv`; the standard library only, for nothing else is there yet."""

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "--no-deps"]  # fmt: skip
FETCHED = re.compile(r"^\s*(?:Downloading|Using cached|Processing) (\S+?)(?:\.metadata)?(?: \(([\d.]+) (kB|MB|bytes)\))?\s*$")  # fmt: skip
FOLDERS = ("pipeline", "collectors", "rules", "sinks")
UNITS = {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0}


def fetch() -> int:
    """Everything of the lock file."""
    count = sum(line[:1].isalnum() for line in LOCK.read_text().splitlines())
    print(
        f"fetching up to {count} packages (some 300 MB; 760 MB when they are unpacked)", flush=True
    )
    began, done, size = time.monotonic(), 0, 0.0
    last: list[str] = []
    with subprocess.Popen([*PIP, "--require-hashes", "-r", str(LOCK)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:  # fmt: skip
        for line in pip.stdout or ():
            last = [*last[-14:], line]
            found = FETCHED.match(line)
            if found and ".metadata" not in line:
                done, size = done + 1, size + float(found[2] or 0) * UNITS[found[3] or "MB"]
                show(f"{done:4} of {count}  {size:5.0f} MB  {time.monotonic() - began:4.0f} s  {found[1]}")  # fmt: skip
            elif line.startswith("Installing collected"):
                show(f"unpacking them, {time.monotonic() - began:.0f} s so far", end=True)
    if pip.returncode:
        print("".join(last), file=sys.stderr)
        print("the packages could not be installed (is the package index reachable, is there room?)", file=sys.stderr)  # fmt: skip
    return pip.returncode


def show(text: str, *, end: bool = False) -> None:
    """One line that is written over on a terminal; elsewhere a line now and then."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text[:78]}", end="\n" if end else "", flush=True)
    elif end or text.split()[0].endswith(("0", "5")):
        print(text, flush=True)


def install() -> int:
    """This project, editable. For type checkers, which see no import hooks, the package is laid out in links too."""
    package = Path(sys.prefix) / "src" / "driftline"
    package.mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        link = package / folder
        if not link.is_symlink():
            link.symlink_to(Path("../../..") / folder)
    return subprocess.call([*PIP, "--quiet", "--no-build-isolation", "-e", str(ROOT)])


if __name__ == "__main__":
    sys.exit(fetch() or install())
