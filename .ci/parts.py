"""Fetches the programs of parts.txt that this machine lacks, into the cache; nothing is installed, nothing runs as root.

Prints the exports for a shell: PATH, and DRIFTLINE_PARTS=all where every program is there. What could not be had is one
line on standard error, and its tests are skipped."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from driftline.pipeline.local.packages import cache

LIST = Path(__file__).with_name("parts.txt")
SECONDS = 300
"""At most, for each call of apt-get."""
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/systemd", "lib/systemd", "usr/lib/systemd")  # fmt: skip


def parts() -> dict[str, list[str]]:
    """Program to its packages, each as NAME=VERSION."""
    lines = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    found = (line.partition(":") for line in lines)
    return {name.strip(): [one for one in packages.split() if one != "-"] for name, _, packages in found}  # fmt: skip


def fetch(name: str, packages: list[str], folder: Path) -> None:
    """The program `name` as `folder`/bin/NAME. Raises OSError or SubprocessError where that cannot be."""
    root = folder / re.sub(r"[^\w.+-]", "_", "_".join(packages))
    if not root.exists():
        making = root.with_name(f"{root.name}.{os.getpid()}")
        making.mkdir(parents=True)
        try:
            apt(folder, "update")
            if not list((folder / "apt/state/lists").glob("*_Packages*")):
                raise OSError("the package index cannot be reached")
            apt(folder, "download", *packages, cwd=making)
            for package in making.glob("*.deb"):
                subprocess.run(["dpkg", "-x", package.name, "."], cwd=making, check=True, capture_output=True)  # fmt: skip
                package.unlink()
            making.rename(root)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    program = root / "usr" / "bin" / name
    program = program if program.exists() else root / "bin" / name
    libraries = ":".join(str(root / path) for path in LIBRARIES if (root / path).is_dir())
    (folder / "bin").mkdir(exist_ok=True)
    start = folder / "bin" / name
    start.write_text(f"#!/bin/sh\nLD_LIBRARY_PATH={shlex.quote(libraries)} exec {shlex.quote(str(program))} \"$@\"\n")  # fmt: skip
    start.chmod(0o755)
    subprocess.run([start, "--version"], check=True, capture_output=True, timeout=60)


def apt(folder: Path, *words: str, cwd: Path | None = None) -> None:
    """apt-get with lists of its own, so that it needs no rights and changes nothing on the machine."""
    for path in ("state/lists/partial", "cache/archives/partial"):
        (folder / "apt" / path).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State": folder / "apt/state", "Dir::State::status": "/var/lib/dpkg/status", "Dir::Cache": folder / "apt/cache",
        "Acquire::Retries": "1", "Acquire::http::Timeout": "20", "APT::Sandbox::User": "",
    }  # fmt: skip
    given = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    subprocess.run(["apt-get", "--quiet", *given, *words], cwd=cwd, check=True, capture_output=True, timeout=SECONDS)  # fmt: skip


def lacking(wanted: dict[str, list[str]], folder: Path) -> dict[str, str]:
    """Fetches what the machine has not: program to why it could not be had."""
    out = {}
    for name, packages in wanted.items():
        if shutil.which(name):
            continue
        if not packages:
            out[name] = "Debian has no package of it"
            continue
        try:
            fetch(name, packages, folder)
        except (OSError, subprocess.SubprocessError) as error:
            (folder / "bin" / name).unlink(missing_ok=True)
            out[name] = f"{' '.join(packages)}: {why(error)}"
    return out


def why(error: Exception) -> str:
    """The last line that a program said, or the error."""
    said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
    return said.splitlines()[-1] if said else str(error) or type(error).__name__


def main() -> None:
    folder = cache() / "parts"
    lost = lacking(parts(), folder)
    for name, reason in lost.items():
        print(f"{name} is not there, its tests are skipped: {reason}", file=sys.stderr)
    print(f"export PATH={shlex.quote(os.environ['PATH'])}:{shlex.quote(str(folder / 'bin'))}")
    if not lost:
        print("export DRIFTLINE_PARTS=all")


if __name__ == "__main__":
    main()
