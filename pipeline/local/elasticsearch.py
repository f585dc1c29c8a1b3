"""One real Elasticsearch node on loopback."""

import os
import pwd
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.local.packages import Progress, elasticsearch_home, java, quiet
from driftline.pipeline.local.process import Child, free_port, wait_until

START_SECONDS = 120


class ElasticsearchServer:
    """A running node. stop() and start() keep its data and its port."""

    def __init__(self, folder: Path, port: int, child: Child, *, tls: bool = False) -> None:
        self.folder, self.port, self.child, self.tls = folder, port, child, tls

    @property
    def url(self) -> str:
        return f"http{'s' * self.tls}://127.0.0.1:{self.port}"

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
        """Whether it answers; a request for credentials counts as an answer."""
        context = ssl._create_unverified_context() if self.tls else None  # noqa: S323, SLF001 - our own
        url = f"{self.url}/_cluster/health"
        try:
            with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            return error.code == HTTPStatus.UNAUTHORIZED
        except (urllib.error.URLError, OSError):
            return False


def start(
    folder: Path,
    port: int = 0,
    *,
    heap: str = "512m",
    settings: Mapping[str, str] | None = None,
    secure: tuple[Path, Path, str] | None = None,
    progress: Progress = quiet,
    clock: Callable[[], float] = time.monotonic,
) -> ElasticsearchServer:
    """Starts a node with its data in `folder`, never as root. Returns when it answers; raises RuntimeError. `clock` measures
    START_SECONDS.

    `secure`: files of a certificate and its key, for TLS, and the password of the user elastic."""
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
    if secure:
        certificate, key, _ = secure
        wanted |= {
            "xpack.security.enabled": "true", "xpack.security.autoconfiguration.enabled": "false",
            "xpack.security.http.ssl.enabled": "true", "xpack.security.http.ssl.certificate": "own.pem",
            "xpack.security.http.ssl.key": "own.key",
        }  # fmt: skip
        shutil.copy(certificate, config / "own.pem")  # it may read files in this folder only
        shutil.copy(key, config / "own.key")
    known = home / "modules"
    if not (known / "ingest-geoip").exists():
        wanted.pop("ingest.geoip.downloader.enabled")
    (config / "elasticsearch.yml").write_text("".join(f"{k}: {v}\n" for k, v in wanted.items()))
    (folder / "tmp").mkdir(exist_ok=True)
    env = {
        "ES_JAVA_HOME": str(runtime.parent.parent), "ES_PATH_CONF": str(config), "ES_TMPDIR": str(folder / "tmp"),
        "ES_JAVA_OPTS": f"-Xms{heap} -Xmx{heap} -XX:TieredStopAtLevel=1 -XX:-UsePerfData",
        "CLI_JAVA_OPTS": f"-XX:-UsePerfData -XX:TieredStopAtLevel=1 -Djava.io.tmpdir={folder / 'tmp'}",
        "JDK_JAVA_OPTIONS": "-XX:-UsePerfData",  # for JVMs started by the scripts, which would write into /tmp
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "LANG": "C.UTF-8",
    }  # fmt: skip
    if secure:
        keystore = [str(home / "bin" / "elasticsearch-keystore"), "add", "-f", "-x", "bootstrap.password"]  # fmt: skip
        subprocess.run(keystore, env=env, input=secure[2], text=True, check=True, capture_output=True)  # fmt: skip
    user = _nobody(folder) if os.geteuid() == 0 else None
    log = folder / "elasticsearch.txt"
    child = Child([str(home / "bin" / "elasticsearch")], log, env, user)
    server = ElasticsearchServer(folder, port, child, tls=secure is not None)
    wait_until(server.healthy, START_SECONDS, child, "Elasticsearch", clock)
    return server


def _nobody(folder: Path) -> int:
    """Changes the folder's owner to an unprivileged user. Raises UserError if that user cannot reach it."""
    user = pwd.getpwnam("nobody")
    for parent in folder.absolute().parents:
        if not parent.stat().st_mode & 0o001:
            raise UserError(
                "not accessible to the user nobody, as which Elasticsearch runs when root starts it",
                fix="set DRIFTLINE_CACHE to a folder that everyone can access",
                place=parent,
            )
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid)
    return user.pw_uid
