"""Ordinary mistakes, over all commands: each is told once, in one line with its next step, with the exit code of the documented
table; never as a fault of Driftline, never with a stack trace."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from driftline.pipeline.common import environment_errors
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.exit_codes import EXIT_RESTART, EXIT_USAGE
from driftline.pipeline.kafka import client as kafka
from driftline.pipeline.reference.commands import commands
from driftline.pipeline.rulebook import builtin_folder
from tests.collectors.gate import Answer, Gate, gate
from tests.forward import Forwarder, serving
from tests.shells.broker import Brokers
from tests.shells.command import Command, Said, given_back

LEAVES = [
    " ".join(words) for words, command in commands()
    if not isinstance(command, click.Group) or (command.invoke_without_command and command.params)
]  # fmt: skip
REASON = "--reason everybody-may-read-this --owner ann --approver bea --until 2026-12-30"
WORDS = {
    "accounts list": "", "accounts remove": "111111111111 --dry-run", "owners check": "--store kafka", "owners explain": "x --store kafka",
    "baseline apply": "one.yaml", "baseline approve": "x --by ann --reason r", "baseline declare": "--workspace w --plan plan.json",
    "baseline diff": "x", "baseline revoke": "x", "clock": "--once", "collect aws": "--once", "collect aws inventory": "--once", "collect folder": "snapshot.json",
    "coverage": "", "deadletter drop": "--all", "deadletter retry": "--all", "deadletter show": "abcd",
    "exceptions add": f"--rule aws-s3-bucket-tls-only --resource x {REASON}", "exceptions apply": "none.yaml", "exceptions expire": "x",
    "forget": "--uid x --dry-run", "record": "out.ndjson", "timeline": "x", "upgrade": "--check", "collect aws events": "--once",
    "findings list": "--store kafka", "findings show": "x --store kafka", "alerts list": "--store kafka", "alerts show": "x --store kafka",
    "exceptions list": "", "exceptions send": "", "baseline list": "", "deadletter list": "", "route explain": "abcdefgh", "topics check": "", "topics create": "",
}  # fmt: skip
"""Commands that ask Kafka once, with what they must be given."""
RUN_ON = {
    "cases": "", "clock": "", "collect aws": "", "collect aws events": "", "collect aws reads": "", "correlate": "", "coverage": "--serve 0",
    "sink jira": "", "sink ndjson": "", "worker": "",
}  # fmt: skip
"""Commands that run on, and are started again."""
WITHOUT = {
    "backtest", "config check", "config show", "demo", "detections check", "detections forms", "detections list", "detections new", "doctor", "exceptions check",
    "kinds check", "kinds new", "permissions aws", "permissions elasticsearch", "permissions kafka", "replay", "route backtest", "rules list", "rules new", "rules show",
    "rules test", "scan aws", "scan folder", "sink elasticsearch", "sinks new",
}  # fmt: skip
"""Commands that do without Kafka; `doctor` tells of it in a table of its own, `sink elasticsearch` asks Elasticsearch first."""
ASKING = [*((f"{name} {given}", EXIT_USAGE) for name, given in WORDS.items()),
          *((f"{name} {given}", EXIT_RESTART) for name, given in RUN_ON.items())]  # fmt: skip
RULE = builtin_folder() / "aws" / "s3" / "aws-s3-bucket-tls-only.yaml"
"""One is enough, and quickly loaded."""
PLAN = {
    "format_version": "1.2", "complete": True, "errored": False, "planned_values": {"root_module": {"resources": []}},
    "resource_changes": [], "configuration": {"root_module": {"resources": []}},
}  # fmt: skip


def test_every_command_is_in_a_table() -> None:
    assert set(LEAVES) == set(WORDS) | set(RUN_ON) | WITHOUT


@pytest.fixture(autouse=True)
def place(driftline: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with good settings; afterwards signals and logs are as they were: a command that runs on takes them."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.yaml").write_text("[]\n")
    (tmp_path / "one.yaml").write_text(
        "{uid: x, by: ann, reason: it is so, expect: {/policy: null}}\n"
    )
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    (tmp_path / "snapshot.json").write_text('{"fileVersion": "1.0", "configurationItems": []}')
    for name, value in (
        ("KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("REDACTION__KEY", "0123456789abcdef"), ("WORKER__STATE_DIR", str(tmp_path / "state")),
        ("WORKER__PORT", "0"), ("CORRELATE__PORT", "0"), ("AWS__EVENTS__LOOKUP", "true"), ("ELASTICSEARCH__URL", "http://127.0.0.1:2"),
        ("RULES__BUILTIN", "false"), ("RULES__PATHS", json.dumps([str(RULE)])), ("DETECTIONS__BUILTIN", "false"),
    ):  # fmt: skip
        monkeypatch.setenv(f"DRIFTLINE_{name}", value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(kafka, "TIMEOUT", 0.3)
    monkeypatch.setattr(kafka.reached, "__defaults__", (0.3,))
    mask = os.umask(0o022)
    os.umask(mask)
    with given_back():
        yield
    os.umask(mask)


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    """Brokers that answer, with every topic."""
    found = Brokers()
    found.make()
    monkeypatch.setattr(kafka, "Consumer", found.consumer)
    monkeypatch.setattr(kafka, "AdminClient", found.admin)
    return found


def credentials(monkeypatch: pytest.MonkeyPatch, url: str = "http://127.0.0.1:3") -> None:
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", "us-east-1"), ("ENDPOINT_URL", url)):  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)


def told(said: Said, code: int) -> str:
    """The one line that is told, after the logs of a program that runs on."""
    assert said.code == code, said.err
    lines = [line for line in said.err.splitlines() if not line.startswith(("{", "warning: "))]
    assert len(lines) == 1, said.err
    assert lines[0].startswith("restarting: " if code == EXIT_RESTART else "error: ")
    assert lines[0].endswith(")"), "with a next step"
    assert "internal error" not in said.err
    return lines[0]


@pytest.mark.parametrize(("words", "code"), ASKING)
def test_kafka_is_away(words: str, code: int, driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    credentials(monkeypatch)
    line = told(driftline(*words.split()), code)
    assert "Kafka at 127.0.0.1:1: Connection refused (check that it is running" in line


@pytest.mark.parametrize(("words", "code"), ASKING)
def test_topics_are_missing(
    words: str, code: int, driftline: Command, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words.startswith("topics create"):
        return  # its very purpose
    brokers.log.clear()
    credentials(monkeypatch)
    said = driftline(*words.split())
    if words.startswith("topics check"):
        assert said.code == 2
        assert said.out == "22 of 22 topics: missing: driftline.snapshots, driftline.changes, driftline.control and 19 more (run: driftline topics create)\n"  # fmt: skip
    elif words.startswith("upgrade"):
        assert said.code == 2, "it is what it lists"
    else:
        assert "run: driftline topics create" in told(said, code)


def test_doctor_says_it_once(
    driftline: Command, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    brokers.log.clear()
    monkeypatch.setenv("COLUMNS", "300")
    said = driftline("doctor", "--only", "kafka")
    rows = [row for row in said.out.splitlines()[1:] if row[0] != " "]
    assert sum("topics create" in row for row in rows) <= 2, said.out
    assert len(rows) <= 7, "Kafka, topics, what could not be asked, and three programs"
    whole = driftline("doctor", "--only", "kafka", "--format", "json")
    assert len(json.loads(whole.out)["checks"]) >= 8, "programs see every check"


def test_a_topic_that_is_there_and_wrong_is_not_called_existing(driftline: Command, brokers: Brokers) -> None:  # fmt: skip
    brokers.settings["driftline.findings"]["cleanup.policy"] = "delete"
    brokers.log["driftline.snapshots"] = brokers.log["driftline.snapshots"][:4]
    said = driftline("topics", "create")
    assert said.code == 2
    assert "driftline.findings: exists, but cleanup.policy is delete, not compact (run: kafka-configs" in said.out  # fmt: skip
    assert "driftline.snapshots: exists, but 4 partitions, not 24 (" in said.out
    assert "driftline.changes: exists\n" in said.out


@pytest.mark.parametrize(
    ("words", "setting"),
    [("worker", "worker.port"), ("correlate", "correlate.port"), ("sink ndjson", "sink.port"), ("sink elasticsearch", "sink.port"),
     ("collect aws events", "aws.events.port"), ("collect aws reads", "aws.events.port"), ("coverage --serve PORT", "--serve")],
)  # fmt: skip
def test_a_port_is_in_use(
    words: str, setting: str, driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for name in ("WORKER__PORT", "CORRELATE__PORT", "SINK__PORT", "AWS__EVENTS__PORT"):
            monkeypatch.setenv(f"DRIFTLINE_{name}", port)
        line = told(driftline(*words.replace("PORT", port).split()), EXIT_USAGE)
    assert line.startswith(f"error: {setting}: 127.0.0.1:{port} is in use (")


@pytest.mark.parametrize("words", ["worker", "correlate"])
@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("file", "expected a folder"),
        ("file/below", "expected a folder"),
        ("/proc/x", "check the spelling"),
    ],
)
def test_a_state_folder_that_cannot_be(
    words: str, folder: str, why: str, driftline: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRIFTLINE_WORKER__STATE_DIR", folder)
    line = told(driftline(words), EXIT_USAGE)
    assert line.startswith("error: worker.state_dir: ")
    assert why in line


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("words", ["worker", "correlate"])
def test_a_state_folder_that_cannot_be_written(
    words: str, code: int, driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, _: bytes) -> int:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "write_bytes", refused)
    line = told(driftline(words), EXIT_USAGE)
    assert line.startswith("error: worker.state_dir: ")
    assert os.strerror(code) in line


@pytest.mark.parametrize(("path", "why"), [("empty", "Is a directory"), ("no/such/file", "No such file"), ("plan.json/x", "Not a directory")])  # fmt: skip
def test_a_file_of_findings_that_cannot_be(
    path: str, why: str, driftline: Command, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("DRIFTLINE_NDJSON__PATH", path)
    line = told(driftline("sink", "ndjson"), EXIT_USAGE)
    assert line.startswith(f"error: ndjson.path: {path}: {why}")


@pytest.mark.parametrize("folder", ["file", "/proc/x"])
def test_a_cache_that_cannot_be(
    folder: str, driftline: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRIFTLINE_CACHE", folder)
    assert "DRIFTLINE_CACHE" in told(driftline("demo"), EXIT_USAGE)


AWS = ["scan aws", "collect aws --once", "collect aws", "collect aws events --once", "collect aws events", "collect aws reads"]  # fmt: skip


def runs_on(words: str) -> bool:
    return words.startswith("collect") and "--once" not in words


@pytest.mark.usefixtures("brokers")
@pytest.mark.parametrize("words", AWS)
def test_no_credentials(words: str, driftline: Command) -> None:
    line = told(driftline(*words.split()), EXIT_USAGE)
    assert line == "error: AWS: Unable to locate credentials (set AWS_PROFILE or the standard AWS variables, or use --profile)"  # fmt: skip


@pytest.mark.usefixtures("brokers")
@pytest.mark.parametrize("words", AWS)
def test_no_network(words: str, driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)
    line = told(driftline(*words.split()), EXIT_RESTART if runs_on(words) else EXIT_USAGE)
    assert 'AWS: Could not connect to the endpoint URL: "http://127.0.0.1:3/" (is this machine connected' in line  # fmt: skip


@pytest.fixture(scope="module")
def refusing() -> Iterator[Gate]:
    """An AWS that refuses every call as a test says."""
    with gate("http://127.0.0.1:3") as mine:
        yield mine


CODES = [
    ("ExpiredToken", 403, "aws sso login"), ("InvalidClientTokenId", 403, "correct AWS_PROFILE"), ("SignatureDoesNotMatch", 403, "correct the secret"),
    ("RequestExpired", 400, "aws sso login"), ("AccessDenied", 403, "driftline permissions aws"), ("OptInRequired", 403, "--regions"),
    ("SomethingNew", 400, "aws sts get-caller-identity"),
]  # fmt: skip


@pytest.mark.usefixtures("brokers")
@pytest.mark.parametrize(("code", "status", "step"), CODES)
@pytest.mark.parametrize("words", [AWS[0], AWS[2]])
def test_credentials_that_aws_refuses(
    words: str, code: str, status: int, step: str, refusing: Gate, driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    credentials(monkeypatch, refusing.url)
    refusing.fault = lambda _: Answer(status, code)
    line = told(driftline(*words.split()), EXIT_USAGE)
    assert f"AWS: GetCallerIdentity answered {code}: no (" in line
    assert step in line


@pytest.mark.parametrize(
    ("words", "step"),
    [("--profile nope", "--profile, or AWS_PROFILE"), ("--role-arn nope", "correct what is named there"),
     ("--regions nope", "write for example eu-west-1"), ("--accounts 12", "twelve digits")],
)  # fmt: skip
def test_odd_options_of_aws(words: str, step: str, driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    credentials(monkeypatch)
    assert step in told(driftline("scan", "aws", *words.split()), EXIT_USAGE)


def test_a_region_that_is_none(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "no region")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert "AWS_REGION" in told(driftline("scan", "aws"), EXIT_USAGE)


ELASTIC = [("sink elasticsearch", True), ("sink elasticsearch --check", False), ("sink elasticsearch --install", False), ("upgrade --check", False), ("findings list", False), ("alerts show abcdefgh", False)]  # fmt: skip


@pytest.mark.usefixtures("brokers")
@pytest.mark.parametrize(("words", "service"), ELASTIC)
def test_elasticsearch_is_away(words: str, service: bool, driftline: Command) -> None:
    line = told(driftline(*words.split()), EXIT_RESTART if service else EXIT_USAGE)
    assert "Elasticsearch at http://127.0.0.1:2: " in line


class _Refusing(Forwarder):
    status = 401

    def serve(self, body: bytes) -> None:
        text = json.dumps({"error": {"type": "security_exception", "reason": "no"}, "status": self.status})  # fmt: skip
        self.reply(self.status, [("Content-Type", "application/json"), ("X-elastic-product", "Elasticsearch")], text.encode())  # fmt: skip


@pytest.mark.usefixtures("brokers")
@pytest.mark.parametrize(("words", "service"), ELASTIC)
@pytest.mark.parametrize(
    ("status", "step"),
    [
        (401, "correct elasticsearch.username"),
        (403, "driftline permissions elasticsearch"),
        (503, "is it running"),
    ],
)
def test_elasticsearch_refuses(
    words: str,
    service: bool,
    status: int,
    step: str,
    driftline: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(_Refusing, status=status) as url:
        monkeypatch.setenv("DRIFTLINE_ELASTICSEARCH__URL", url)
        said = driftline(*words.split())
    assert step in told(said, EXIT_RESTART if service and status == 503 else EXIT_USAGE)


PATHS = [
    (name, param.opts[0] if param.param_type_name == "option" else "", param.type)
    for name, command in ((" ".join(words), command) for words, command in commands())
    for param in command.params
    if isinstance(param.type, click.Path)
]
OTHERS = {
    "rules new": "own-rule --type AWS::S3::Bucket", "baseline declare": "--workspace w --dry-run", "baseline approve": "x --by a --reason r",
    "scan folder": "snapshot.json", "record": "", "replay": "", "baseline apply": "", "backtest": "", "collect folder": "",
}  # fmt: skip


@pytest.mark.parametrize(("name", "option", "type"), PATHS)
@pytest.mark.parametrize("path", ["empty", "plan.json", "plan.json/below", "not/there"])
def test_a_path_of_another_kind_is_never_a_fault_of_ours(
    name: str, option: str, type: click.Path, path: str, driftline: Command, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Every option that takes a path, with a folder, a file, something below a file, and nothing."""
    monkeypatch.setenv("DRIFTLINE_CACHE", "plan.json")  # the demo goes no further
    credentials(monkeypatch)
    given = [*OTHERS.get(name, "").split(), *([option] if option else []), path]
    words = name.split() if name else []
    said = driftline(*words, *given) if name else driftline(*given, "config", "check")
    assert "internal error" not in said.err
    wrong = (type.exists and path not in ("empty", "plan.json")) or not (type.dir_okay or path != "empty")  # fmt: skip
    if wrong or (path == "plan.json" and not type.file_okay):
        assert said.code == EXIT_USAGE


@pytest.mark.parametrize("code", sorted(environment_errors.STEPS))
@pytest.mark.parametrize("filename", [None, "some/file"])
def test_whatever_the_system_refuses_anywhere_is_told_as_that(
    code: int, filename: str | None, driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(code, os.strerror(code), filename)

    monkeypatch.setattr("driftline.pipeline.cli.config.examine", refused)
    line = told(driftline("config", "check"), EXIT_USAGE)
    assert line == f"error: {f'{filename}: ' if filename else ''}{os.strerror(code)} ({environment_errors.STEPS[code]})"  # fmt: skip


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Exception("IO error: No space left on device: While appending to file: x"), "free some space there"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "free some space there"),
        (Exception("IO error: While fsync: Input/output error"), "check its permissions and its disk"),
        (OSError(errno.EROFS, "Read-only file system"), "check its permissions and its disk"),
        (ValueError("a fault of ours"), None), (ConnectionResetError("Kafka"), None),
    ],
)  # fmt: skip
def test_the_files_of_a_state(error: Exception, says: str | None) -> None:
    text = environment_errors.describe_state_error(error, Path("/state"))
    assert (text is None) == (says is None)
    assert says is None or (text is not None and says in text and "/state" in text and "nothing is lost" in text)  # fmt: skip


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    environment_errors.require_writable(tmp_path / "a" / "b", "worker.state_dir")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "a" / "b").iterdir()) == []
    with pytest.raises(UserError):
        environment_errors.require_writable(Path("/proc/x"), "worker.state_dir")
