"""What a user writes wrongly is told in plain words, with its place and what to write instead."""

import re
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from driftline.pipeline.common import exit_codes
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka.client import explained
from driftline.pipeline.reference.commands import EXITS, commands
from driftline.pipeline.settings.base import Block, is_duration
from driftline.pipeline.settings.blocks import Kafka, load_settings, settings_model
from driftline.sinks.installed import kinds
from tests.shells.command import Command


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("sink order", "No such command 'order'"),
        ("sink base", "No such command 'base'"),
        ("permissions kafka --sink order", "order: no such sink (known: elasticsearch, jira, ndjson)"),
        ("permissions kafka --program nobody", "(one of: administrator, cases, clock, "),
        ("permissions aws --external-id x", "--external-id: goes with --trust"),
        ("permissions aws --trust 123456789012 --external-id=", "--external-id: is empty"),
        ("permissions aws --trust=", "not an account id"),
        ("upgrade", "use either --check or --apply"),
        ("upgrade --check --apply", "use either --check or --apply"),
        ("backtest --detections empty --cloudtrail empty", "--detections empty: contains no Sigma rules"),
        ("forget --account=", "--account: is empty"),
        ("forget --account 111111111111 --type=", "--type: is empty"),
        ("forget --account *", "--account: contains a *"),
        ("scan folder empty --rule nope", "--rule nope: no such rule\n"),
        ("scan folder empty --rule s3-public", "did you mean 'aws-s3-bucket-"),
        ("scna", "(did you mean 'scan'?)"),
        ("scan foldr", "(did you mean 'folder'?)"),
        ("sink elasticsaerch", "(did you mean 'elasticsearch'?)"),
    ],
)  # fmt: skip
def test_a_wrong_word(words: str, told: str, driftline: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = driftline(*words.split())
    assert said.code == 2
    assert told in said.err + said.out


LISTS = [
    (words, option.opts[0])
    for words, command in commands()
    for option in command.params
    if str(option.metavar or "").startswith("LIST")
]


@pytest.mark.parametrize("value", ["", ",", " , "])
@pytest.mark.parametrize(("words", "option"), LISTS)
def test_a_list_that_names_nothing_is_not_everything(words: list[str], option: str, value: str, driftline: Command) -> None:  # fmt: skip
    said = driftline(*words, *(["."] if words[-1] == "folder" else []), option, value)
    assert said.code == 2
    assert "the list is empty" in said.err


def test_every_group_tells_what_may_be_meant(driftline: Command) -> None:
    groups = {tuple(words[:-1]) for words, _ in commands() if len(words) > 1}
    assert len(groups) > 10
    for words in groups:
        said = driftline(*words, "nobody-knows")
        assert said.code == 2
        assert "(known: " in said.err, words


def test_every_sink_can_be_created() -> None:
    assert kinds() == ["elasticsearch", "jira", "ndjson"]


def test_a_folder_without_a_detection_is_not_one_whose_detections_load(
    driftline: Command, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for form in ("table", "json"):
        assert driftline("detections", "check", "empty", "--format", form).code == 3


DURATIONS = [
    (block, name)
    for block, field in settings_model().model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Block)
    for name, below in field.annotation.model_fields.items()
    if is_duration(below)
]


@pytest.mark.parametrize(("block", "name"), DURATIONS)
@pytest.mark.parametrize("value", ["-1", "9999d"])
def test_the_bound_of_a_duration_has_a_unit(block: str, name: str, value: str, tmp_path: Path) -> None:  # fmt: skip
    path = tmp_path / "driftline.yaml"
    path.write_text(f"{block}: {{{name}: {value}}}\n")
    try:
        load_settings(path, {})
    except UserError as error:
        bounds = [one for one in error.problems if ": must be " in one]
        assert all(one.removesuffix(" or more").removesuffix(" or less")[-1] in "smhd" for one in bounds)  # fmt: skip


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "-x", "é", "a" * 101])
@pytest.mark.parametrize("setting", ["kafka.topic_prefix", "worker.app_id", "correlate.app_id"])
def test_the_name_of_a_topic_is_told_in_words(setting: str, name: str, tmp_path: Path) -> None:
    block, field = setting.split(".")
    path = tmp_path / "driftline.yaml"
    path.write_text(f'{block}: {{{field}: "{name}"}}\n')
    with pytest.raises(UserError) as told:
        load_settings(path, {})
    (problem,) = told.value.problems
    assert f"{path}:1:" in problem
    assert f"{setting}: must be 1 to 100 letters, digits, dots, _ and -" in problem


@pytest.mark.parametrize(
    ("code", "step"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "a topic of acme.* is missing; run: driftline topics create"),
        (KafkaError._UNKNOWN_PARTITION, "a topic of acme.* is missing; run: driftline topics create"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "driftline permissions kafka"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "driftline permissions kafka"),
        (KafkaError.TOPIC_EXCEPTION, "check that it is running"),
    ],
)  # fmt: skip
def test_what_kafka_refuses_has_its_own_next_step(code: int, step: str) -> None:
    with pytest.raises(UserError) as told, explained(Kafka(topic_prefix="acme.")):
        raise KafkaException(KafkaError(code))
    assert step in told.value.problems[0]


def test_the_table_of_exit_codes_has_what_commands_say() -> None:
    said = re.compile(r"[Ee]xits? (?:with )?(\d+)|[.;] (\d+): ")
    for words, command in commands():
        texts = [command.help or "", *(getattr(one, "help", None) or "" for one in command.params)]
        for found in said.finditer(" ".join(" ".join(texts).split())):
            code = int(found[1] or found[2])
            assert words[0] in EXITS[code] or code == 0, (words, code)
    codes = {value for name, value in vars(exit_codes).items() if name.startswith("EXIT_")}
    assert codes | {0} == set(EXITS)
