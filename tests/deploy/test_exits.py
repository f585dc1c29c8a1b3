"""What a supervisor reads from a command's end: 75 where another start may help, 2 where only a person can."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import driftline.pipeline.cli
from driftline.collectors.aws.api.environment_errors import user_error
from driftline.pipeline.common import exit_codes
from driftline.pipeline.common.errors import NotThere, UserError
from driftline.pipeline.kafka import client as kafka
from tests.shells.command import given_back


def code_of(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of a command, run in this process."""
    monkeypatch.setattr("sys.argv", ["driftline", *words])
    with pytest.raises(SystemExit) as end:
        driftline.pipeline.cli.run()
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    with given_back():
        yield


@pytest.fixture
def without_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are good, of a broker that is not there."""
    monkeypatch.setenv("DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("DRIFTLINE_REDACTION__KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.setattr(kafka, "TIMEOUT", 0.3)
    monkeypatch.setattr(kafka.reached, "__defaults__", (0.3,))


@pytest.mark.usefixtures("without_kafka")
@pytest.mark.parametrize("words", ["collect aws", "coverage --serve 0"])
def test_what_runs_on_asks_to_be_started_again(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, *words.split()) == exit_codes.EXIT_RESTART
    assert "restarting: Kafka at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.usefixtures("without_kafka")
@pytest.mark.parametrize("words", ["collect aws --once", "coverage"])
def test_what_runs_once_leaves_it_to_the_caller(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, *words.split()) == exit_codes.EXIT_USAGE
    assert "error: Kafka at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.usefixtures("without_kafka")
def test_another_start_does_not_mend_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_REDACTION__KEY", "")
    assert code_of(monkeypatch, "collect", "aws") == exit_codes.EXIT_USAGE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="https://sts.example"), NotThere),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "ListAccounts"), NotThere),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListAccounts"), UserError),
    ],
)
def test_a_denial_is_a_persons_and_a_silence_is_not(
    error: Exception, kind: type[Exception]
) -> None:
    assert type(user_error(error)) is kind
