"""One real Elasticsearch node on loopback."""

import os
import pwd
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import UserError
from pipeline.local.packages import Progress, elasticsearch_home, java, quiet
from pipeline.local.process import Child, free_port, wait_until

START_SECONDS = 120


class ElasticsearchServer:
    """A running node. stop() and start() keep its data and its port."""

    def __init__(self, folder: Path, port: int, child: Child) -> None:
        self.folder, self.port, self.child = folder, port, child

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.child.pid

    def start(self) -> None:
        self.child.start()
        wait_until(self.healthy, START_SECONDS, self.child, "Elasticsearch")

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_cluster/health", timeout=2) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def start(
    folder: Path,
    port: int = 0,
    *,
    heap: str = "512m",
    settings: Mapping[str, str] | None = None,
    progress: Progress = quiet,
) -> ElasticsearchServer:
    """Starts a node with its data in `folder`, never as root. Returns when it answers; raises RuntimeError."""
    home = elasticsearch_home(progress)
    runtime = java(progress)
    port = port or free_port()
    config = folder / "config"
    shutil.rmtree(config, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(home / "config", config)
    wanted = {
        "cluster.name": "driftline", "node.name": "one", "discovery.type": "single-node",
        "http.host": "127.0.0.1", "http.port": port, "transport.host": "127.0.0.1",
        "transport.port": free_port(), "path.data": folder / "data", "path.logs": folder / "logs",
        "xpack.security.enabled": "false", "cluster.routing.allocation.disk.threshold_enabled": "false",
        "node.store.allow_mmap": "false", "ingest.geoip.downloader.enabled": "false",
    } | dict(settings or {})  # fmt: skip
    known = home / "modules"
    if not (known / "ingest-geoip").exists():
        wanted.pop("ingest.geoip.downloader.enabled")
    (config / "elasticsearch.yml").write_text("".join(f"{k}: {v}\n" for k, v in wanted.items()))
    (folder / "tmp").mkdir(exist_ok=True)
    user = _nobody(folder) if os.geteuid() == 0 else None
    env = {
        "ES_JAVA_HOME": str(runtime.parent.parent), "ES_PATH_CONF": str(config), "ES_TMPDIR": str(folder / "tmp"),
        "ES_JAVA_OPTS": f"-Xms{heap} -Xmx{heap} -XX:TieredStopAtLevel=1 -XX:-UsePerfData",
        "CLI_JAVA_OPTS": "-XX:-UsePerfData -XX:TieredStopAtLevel=1",
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "LANG": "C.UTF-8",
    }  # fmt: skip
    log = folder / "elasticsearch.txt"
    child = Child([str(home / "bin" / "elasticsearch")], log, env, user)
    server = ElasticsearchServer(folder, port, child)
    wait_until(server.healthy, START_SECONDS, child, "Elasticsearch")
    return server


def _nobody(folder: Path) -> int:
    """Gives the folder to a user without rights. Raises UserError where he cannot reach it."""
    user = pwd.getpwnam("nobody")
    for parent in folder.absolute().parents:
        if not parent.stat().st_mode & 0o001:
            raise UserError(
                f"{parent}: closed to the user nobody, as whom Elasticsearch runs where root starts it"
                " (name a folder that everybody may enter: DRIFTLINE_CACHE)"
            )
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid)
    return user.pw_uid
