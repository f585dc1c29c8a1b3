"""Everything the demo runs on: one folder, real servers, our programs as a user would start them."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from pipeline.demo.estate import ENVIRONMENT, REGIONS, Estate
from pipeline.local import elasticsearch, kafka
from pipeline.local.packages import cache
from pipeline.local.process import Child, free_port

ALIAS = "security_solution-driftline.misconfiguration_latest"
HISTORY = "logs-driftline.findings-default"
SWEEP_EVERY = "2s"


class Stage:
    """Started by start(), ended by stop(); what it wrote is gone then."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="demo-", dir=cache()))
        self.folder.chmod(0o711)
        self.tell = tell
        self.children: dict[str, Child] = {}
        self.estate: Estate
        self.kafka: kafka.KafkaServer
        self.elastic: elasticsearch.ElasticsearchServer
        self.resources = 0
        self.env: dict[str, str] = {}

    def start(self) -> None:
        """Servers side by side, then topics, templates, clock, workers and sink. The collector comes later."""
        with ThreadPoolExecutor(3) as pool:
            servers = [
                pool.submit(self._elastic),
                pool.submit(self._kafka),
                pool.submit(self._estate),
            ]
            for job in servers:
                job.result()
        self._settings()
        self.cli("topics", "create")
        self.cli("sink", "elasticsearch", "--install")
        self.launch("clock", "clock", "--interval", "1s")
        for number in (1, 2):
            self.worker(number)
        self.launch("sink", "sink", "elasticsearch")
        self.estate.enforce()

    def _elastic(self) -> None:
        self.elastic = elasticsearch.start(self.folder / "elasticsearch", progress=self.tell)
        self.tell(f"Elasticsearch answers at {self.elastic.url}")

    def _kafka(self) -> None:
        self.kafka = kafka.start(self.folder / "kafka", progress=self.tell)
        self.tell(f"Kafka answers at {self.kafka.bootstrap}")

    def _estate(self) -> None:
        self.estate = Estate(self.folder)
        self.resources = self.estate.build(self.tell)
        self.tell(f"a simulated AWS organization at {self.estate.url}: {self.resources} resources")

    def _settings(self) -> None:
        settings = {
            "kafka": {"bootstrap_servers": self.kafka.bootstrap},
            "elasticsearch": {"url": self.elastic.url},
            "aws": {"accounts": ["all"], "regions": list(REGIONS), "requests_per_second": 500},
            "redaction": {"key": "only-for-the-demo"},
            "worker": {"state_dir": str(self.folder / "state"), "session_timeout": "6s", "port": 0},
            "clock": {"lateness": "5s"},
        }
        path = self.folder / "driftline.yaml"
        path.write_text(yaml.safe_dump(settings))
        path.chmod(0o600)
        self.env = ENVIRONMENT | self.estate.collector | {"DRIFTLINE_CONFIG": str(path)}

    def cli(self, *arguments: str) -> None:
        """One of our commands, to its end. Raises RuntimeError with what it said."""
        done = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", "pipeline", *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"driftline {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def launch(self, name: str, *arguments: str, more: dict[str, str] | None = None) -> Child:
        """One of our programs, kept running."""
        command = [sys.executable, "-m", "pipeline", *arguments]
        self.children[name] = Child(command, self.folder / f"{name}.txt", self.env | (more or {}))
        return self.children[name]

    def worker(self, number: int) -> None:
        """A worker with state of its own."""
        more = {
            "DRIFTLINE_WORKER__STATE_DIR": str(self.folder / f"state-{number}"),
            "DRIFTLINE_WORKER__PORT": str(free_port()),
        }
        self.launch(f"worker-{number}", "worker", more=more)

    def collect(self) -> None:
        """The collector, sweeping again and again."""
        self.launch("collector", "collect", "aws", "--interval", SWEEP_EVERY)

    def get(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """An answer of Elasticsearch as it is now; empty where it does not answer."""
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.elastic.url}/{path}", headers={"Content-Type": "application/json"},
            data=json.dumps(body).encode() if body is not None else None,
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            with contextlib.suppress(ValueError):
                said: dict[str, Any] = json.load(error)  # a 404 says {"found": false}
                return said
            return {}
        except (urllib.error.URLError, OSError, ValueError):
            return {}

    def finding(self, id: str) -> dict[str, Any] | None:
        """The latest document by realtime GET; None where there is none (or no answer)."""
        found: dict[str, Any] | None = self.get(f"{ALIAS}/_doc/{id}").get("_source")
        return found

    def gone(self, id: str) -> bool:
        """Elasticsearch answers, and has no such document."""
        return self.get(f"{ALIAS}/_doc/{id}").get("found") is False

    def died(self) -> str | None:
        """A program that ended although nobody asked it to; with its last lines. Exit 75 is started again."""
        for name, child in list(self.children.items()):
            if not child.running and name.startswith("worker"):
                self.worker(int(name[-1]))
            elif not child.running:
                return f"{name} ended with {child.code}:\n{child.tail()}"
        return None

    def stop(self) -> None:
        """Ends everything, ours first, and takes the folder away."""
        ours = list(self.children.values())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda child: child.stop(8), ours))
        servers = [getattr(self, name, None) for name in ("estate", "elastic", "kafka")]
        with ThreadPoolExecutor(3) as pool:
            list(
                pool.map(
                    lambda server: server.child.stop(10), [s for s in servers if s is not None]
                )
            )
        for _ in range(20):
            with contextlib.suppress(OSError):
                shutil.rmtree(self.folder)
            if not self.folder.exists():
                return
            time.sleep(0.1)
