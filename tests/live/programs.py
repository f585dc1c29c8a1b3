"""Our programs as a user starts them, and our commands in this process, all on one settings file."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import yaml
from click.testing import CliRunner

from driftline.pipeline.cli import main
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.exit_codes import EXIT_USAGE
from driftline.pipeline.kafka.client import Delivery, flush, produce, producer, read_all
from driftline.pipeline.local.process import Child, free_port
from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.settings.blocks import Kafka, load_settings
from tests.core.world import write_rules

OURS = [sys.executable, "-m", "driftline.pipeline"]


class Told(NamedTuple):
    """A command's end: its exit code, what it said, and the mistakes that it told."""

    code: int
    out: str
    problems: tuple[str, ...] = ()


class Site:
    """A folder with settings and the tests' three rules. Use as a context: what it launched ends with it."""

    def __init__(self, folder: Path, kafka: Mapping[str, Any], **blocks: Any) -> None:
        self.folder, self.children = folder, list[Child]()
        rules = folder / "rules"
        rules.mkdir()
        write_rules(rules)
        settings = {
            "kafka": dict(kafka),
            "rules": {"builtin": False, "paths": [str(rules)]},
            "clock": {"lateness": "0s"},
        } | blocks
        settings["worker"] = {"session_timeout": "6s"} | settings.get("worker", {})
        self.file = folder / "driftline.yaml"
        self.file.write_text(yaml.safe_dump(settings))
        self.file.chmod(0o600)
        strange = ("DRIFTLINE_", "AWS_")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(strange)} | {
            "DRIFTLINE_CONFIG": str(self.file), "PYTHONPATH": str(Path.cwd()), "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip
        self.kafka: Kafka = load_settings(env=self.env).kafka

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children:
            child.kill()

    def launch(self, *words: str, program: Sequence[str] = OURS, **env: str) -> Child:
        """A program of ours, kept running; its log is that of its number."""
        log = self.folder / f"{len(self.children)}-{words[0] if words else 'program'}.txt"
        child = Child([*program, *words], log, self.env | env)
        self.children.append(child)
        return child

    def worker(self, *words: str, **more: Any) -> "Worker":
        """A worker with a state folder and a port of its own."""
        return Worker(self, *words, **more)

    def correlator(self, **env: str) -> Child:
        """A correlator with a state folder and a port of its own."""
        state = str(self.folder / f"state-{len(self.children)}")
        port = str(free_port())
        return self.launch("correlate", DRIFTLINE_WORKER__STATE_DIR=state, DRIFTLINE_CORRELATE__PORT=port, **env)  # fmt: skip

    def run(self, *words: str, program: Sequence[str] = OURS, **env: str) -> Told:
        """A program of ours, to its end."""
        done = subprocess.run([*program, *words], env=self.env | env, capture_output=True, text=True,
                              timeout=120, check=False)  # fmt: skip
        return Told(done.returncode, done.stdout + done.stderr)

    def cli(self, *words: str, **env: str) -> Told:
        """One of our commands, to its end, in this process."""
        gone = {k: None for k in os.environ if k.startswith(("DRIFTLINE_", "AWS_"))}
        done = CliRunner().invoke(
            main, list(words), standalone_mode=False, env={**gone, **self.env, **env}
        )
        if isinstance(done.exception, UserError):
            return Told(EXIT_USAGE, done.output, done.exception.problems)
        if done.exception is not None:
            raise done.exception
        return Told(int(done.return_value or 0), done.output)

    def say(self, topic: str, *values: bytes | None, **more: Any) -> int:
        """Records into a topic; the offset of the first of them."""
        out, delivery, offsets = producer(self.kafka), Delivery(), list[int]()

        def delivered(error: Any, message: Any) -> None:
            delivery(error, message)
            offsets.append(message.offset())

        for value in values:
            produce(out, delivered, topic, value, **more)
        flush(out, delivery, 30)
        return min(offsets)

    def findings(self) -> dict[str, dict[str, Any]]:
        """The last of every finding, by its id."""
        said = [m for m in read_all(self.kafka, FINDINGS.name) if m.value() is not None]
        return {finding["id"]: finding for finding in (orjson.loads(m.value()) for m in said)}


class Worker:
    """A worker process, and what it answers on its port."""

    def __init__(
        self, site: Site, *words: str, program: Sequence[str] = OURS, state: str = "", **env: str
    ) -> None:
        self.port = free_port()
        self.state = site.folder / (state or f"state-{len(site.children)}")
        self.child = site.launch(
            "worker", *words, program=program, DRIFTLINE_WORKER__STATE_DIR=str(self.state),
            DRIFTLINE_WORKER__PORT=str(self.port), **env,
        )  # fmt: skip

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; 0 where nothing answers."""
        return get(f"http://127.0.0.1:{self.port}{path}")

    def ready(self) -> bool:
        return self.get("/ready")[0] == 200

    def metrics(self) -> dict[str, float]:
        """Every sample by its name with labels."""
        return samples(self.get("/metrics")[1])

    def log(self) -> list[dict[str, Any]]:
        """Its log; every line must be JSON."""
        return [orjson.loads(line) for line in self.child.log.read_bytes().splitlines()]


def get(url: str) -> tuple[int, str]:
    """Status and text of an answer; 0 where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def samples(text: str) -> dict[str, float]:
    """A Prometheus page: sample with its labels, to its value."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}
