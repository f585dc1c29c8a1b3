"""The demo as a person starts it: a program of its own, and what is left of it."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from driftline.pipeline.demo.steps import NAMES
from driftline.pipeline.local.packages import cache
from driftline.pipeline.local.process import wait_until

pytestmark = pytest.mark.live
MARK = "TEST_OF_THE_DEMO"


class Demo:
    """One run of it, and every process that was seen to be its own."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.mark, self.log = uuid.uuid4().hex, log
        self.seen: set[psutil.Process] = set()
        self.open: set[str] = set()
        """Addresses that something of it was seen to listen at."""
        with log.open("w") as out:
            self.program = subprocess.Popen(
                [sys.executable, "-m", "driftline.pipeline", "demo", *arguments], stdout=out, stderr=subprocess.STDOUT,
                env=os.environ | {MARK: self.mark, "COLUMNS": "80"}, start_new_session=True,
            )  # fmt: skip
        self.process = psutil.Process(self.program.pid)

    def look(self) -> None:
        """Keeps in mind what belongs to it now, and where that listens."""
        try:
            mine = {self.process, *self.process.children(recursive=True)}
        except psutil.NoSuchProcess:
            return
        for process in mine:
            try:
                for connection in process.net_connections("inet"):
                    if connection.status == psutil.CONN_LISTEN:
                        self.open.add(connection.laddr.ip)
            except psutil.Error:
                continue
        self.seen |= mine

    def end(self, seconds: float) -> int:
        """Its exit code."""
        until = time.monotonic() + seconds
        while self.program.poll() is None and time.monotonic() < until:
            self.look()
            time.sleep(0.2)
        return self.program.wait(1)

    def says(self, text: str) -> bool:
        self.look()
        return text in self.log.read_text()

    def left(self) -> list[str]:
        """Processes of it that still run, by what was seen and by the environment."""
        out = [str(p) for p in self.seen if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark:
                    out.append(str(process))
            except psutil.Error:
                continue
        return out


def folders() -> set[str]:
    return {path.name for path in cache().glob("demo-*")}


def test_every_step_is_seen_and_nothing_is_left(tmp_path: Path) -> None:
    before, report = folders(), tmp_path / "demo.json"
    demo = Demo(tmp_path / "log.txt", "--json", str(report))
    code = demo.end(1800)
    text = demo.log.read_text()
    assert code == 0, text
    told = json.loads(report.read_text())
    assert [step["name"] for step in told["steps"]] == list(NAMES)
    assert [step["name"] for step in told["steps"] if not step["seen"]] == []
    assert all(step["seconds"] > 0 and step["detail"] for step in told["steps"])
    assert told["ok"] is True
    assert told["error"] is None
    assert told["resources"] >= 200
    assert told["records"] >= told["resources"]
    assert told["latency"]["transitions"] >= 75
    assert set(told["versions"]) >= {"driftline", "kafka", "elasticsearch", "faust-streaming", "python"}  # fmt: skip
    assert "every step was seen" in text
    assert {address.removeprefix("::ffff:") for address in demo.open} == {"127.0.0.1"}
    wait_until(lambda: not demo.left(), 10, None, "the end of the watcher")
    assert folders() <= before


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_interrupted_while_it_starts_it_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    before = folders()
    demo = Demo(tmp_path / "log.txt")
    wait_until(lambda: demo.says("accounts: "), 60, None, "the simulated AWS")
    assert folders() - before
    demo.program.send_signal(number)
    assert demo.end(20) == code
    wait_until(lambda: not demo.left(), 20, None, "the end of all of it")
    wait_until(lambda: folders() <= before, 20, None, "the end of its folder")
    assert "Traceback" not in demo.log.read_text()


def test_where_time_is_up_it_says_what_was_not_seen(tmp_path: Path) -> None:
    before, report = folders(), tmp_path / "demo.json"
    demo = Demo(tmp_path / "log.txt", "--duration", "4", "--json", str(report))
    began = time.monotonic()
    assert demo.end(20) == 1
    assert time.monotonic() - began < 10
    told = json.loads(report.read_text())
    assert told["ok"] is False
    assert "not seen within --duration" in told["error"]
    assert [step["seen"] for step in told["steps"]] == [False] * len(NAMES)
    assert [step["run"] for step in told["steps"]] == [False] * len(NAMES)
    text = demo.log.read_text()
    assert "not every step was seen" in text
    assert text.count("not run") == len(NAMES)
    logs = Path(text.split("logs: ")[1].split(" (")[0])
    assert list(logs.glob("*.txt"))
    wait_until(lambda: not demo.left(), 10, None, "the end of all of it")
    assert folders() <= before
