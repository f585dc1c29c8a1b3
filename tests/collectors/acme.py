"""The provider of CONTRIBUTING.md, as it stands there: laid out as an installed package beside the tree, and a cloud for it."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TYPE = "Acme::Storage::Bucket"
SECRET = "correct-horse-battery-staple"


def install(home: Path) -> Path:
    """Writes the package and what pip writes beside it; the folder for PYTHONPATH."""
    recipe = (
        (ROOT / "CONTRIBUTING.md")
        .read_text()
        .partition("\n## A provider\n")[2]
        .partition("\n## ")[0]
    )
    for path, text in re.findall(r"^```\w+ (acme_cloud/\S+)\n(.*?)^```$", recipe, re.MULTILINE | re.DOTALL):  # fmt: skip
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (home / "acme_cloud/__init__.py").write_text("")
    [points] = re.findall(r"^```toml\n(.*?)^```$", recipe, re.MULTILINE | re.DOTALL)
    info = home / "acme_cloud-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-cloud\nVersion: 1.0\n")
    text = re.sub(r'\[project\.entry-points\."(.+)"\]', r"[\1]", points).replace('"', "")
    (info / "entry_points.txt").write_text(text)
    return home


@dataclass
class Acme:
    """A cloud: its accounts, their buckets, and what was done. `denied`: accounts that may not be listed."""

    url: str = ""
    accounts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)

    def bucket(self, account: str, name: str, access: list[str]) -> None:
        self.accounts.setdefault(account, {})[name] = {
            "name": name, "region": "north", "made": "2026-01-01T00:00:00Z", "labels": {"team": "data"},
            "access": access, "mount": {"option": SECRET}, "used": len(self.events),
        }  # fmt: skip

    def set_access(self, account: str, name: str, access: list[str], who: str, at: str) -> None:
        self.accounts[account][name]["access"] = access
        self.events.append({
            "id": f"event-{len(self.events)}", "at": at, "call": "SetAccess", "account": account, "bucket": name,
            "who": who, "ip": "198.51.100.7",
        })  # fmt: skip

    def answer(self, path: str) -> tuple[int, Any]:
        steps = path.lstrip("/").split("/")
        if steps == ["accounts"]:
            return 200, sorted(self.accounts)
        if steps[0].startswith("events"):
            return 200, self.events[int(path.partition("=")[2] or 0) :]
        if steps[0] in self.denied:
            return 403, {"error": "denied"}
        buckets = self.accounts[steps[0]]
        if len(steps) == 2:
            return 200, list(buckets.values())
        return (200, buckets[steps[2]]) if steps[2] in buckets else (404, {"error": "none"})


@contextmanager
def running() -> Iterator[Acme]:
    """The cloud, answering on loopback."""
    acme = Acme()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, found = acme.answer(self.path)
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    acme.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield acme
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def python(home: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python in a folder, with the package installed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DRIFTLINE_", "PYTEST_"))}  # fmt: skip
    env["PYTHONPATH"] = os.pathsep.join((str(home), str(ROOT)))
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)


def driftline(home: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command, with the package installed."""
    return python(home, folder, "-m", "driftline.pipeline", *words)
