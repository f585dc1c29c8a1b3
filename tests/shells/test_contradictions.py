"""Options that exclude each other are told at once, before anything is read; a name that selects nothing likewise."""

import itertools
import re
from pathlib import Path

import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.rulebook import Override, Rulebook, load
from driftline.pipeline.rulebook.selection import select_rules
from tests.shells.command import Command

BUCKETS, QUEUES = "AWS::S3::Bucket", "AWS::SQS::Queue"
BUCKET = "aws-s3-bucket-tls-only"
"""A rule about buckets; of cis-aws-6.0."""
OFF = "disabled by rules.overrides of the settings (enable it there, or leave it out)"


@pytest.mark.parametrize("command", ["folder .", "aws"])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"--rule {BUCKET} --type {QUEUES}", f"this rule is about {BUCKETS}"),
        (f"--rule {BUCKET} --type {BUCKETS} --type {QUEUES}", f"--type {QUEUES}: none of its rules"),
        (f"--rule {BUCKET}x", f"did you mean '{BUCKET}'?"),
        (f"--type {BUCKETS}x", f"did you mean '{BUCKETS}'?"),
        ("--framework cis-aws-6", "did you mean 'cis-aws-6.0'?"),
        ("--rule tls-only-for-buckets", "did you mean 'aws-s3-bucket-tls-only'"),
        ("--rule bucket", "did you mean 'aws-s3-bucket-"),
        ("--rule zzzz", "--rule zzzz: no such rule"),
        ("--severity urgent,worst", "--severity urgent, worst: no such severity (they are informational, low, medium, high, critical)"),
        ("--severity ,", "--severity: the list is empty"),
        ("--service ,", "--service: the list is empty"),
    ],
)  # fmt: skip
def test_scan(words: str, told: str, command: str, driftline: Command) -> None:
    said = driftline("scan", *command.split(), *words.split())
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert len(said.err.splitlines()) == 1
    assert len(said.err) < 300
    assert said.err.count("known: ") <= 1


@pytest.mark.parametrize("command", ["scan folder .", "scan aws", "findings list", "alerts list"])
def test_an_option_that_names_nothing_is_no_option_left_out(
    command: str, driftline: Command
) -> None:
    said = driftline(*command.split(), "--severity", "")
    assert (said.code, said.err) == (2, "error: --severity: the list is empty (write a name, or leave the option out)\n")  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "clock --once --interval 5s", "collect aws --once --interval 1h", "collect aws events --once --backfill s3://b",
        "sink elasticsearch --install --check", "forget --account 1 --yes --dry-run", "permissions aws --accounts all --trust 123456789012",
    ],
)  # fmt: skip
def test_options_of_which_one_would_do_nothing(words: str, driftline: Command) -> None:
    said = driftline(*words.split())
    assert said.code == 2
    assert "exclude each other (leave one of them out)" in said.err


@pytest.mark.parametrize(
    "words", ["timeline x --from 1h --to 2h", "record t.ndjson --from 1h --to 2h",
              "collect aws events --backfill s3://b --from 2026-02-01 --to 2026-01-01"],
)  # fmt: skip
def test_a_time_that_ends_before_it_begins(words: str, driftline: Command) -> None:
    said = driftline(*words.split())
    assert said.code == 2
    assert "--from must be before --to" in said.err


def test_a_time_of_a_backfill_without_a_backfill(driftline: Command) -> None:
    assert "go with --backfill" in driftline("collect", "aws", "events", "--from", "2026-01-01").err


def test_every_selection_keeps_something_of_each_name_or_is_refused() -> None:
    """All pairs of a few rules, types and frameworks."""
    rulebook = load()
    few = [rule for rule in rulebook.rules if rule.type in (BUCKETS, QUEUES)][:6]
    frameworks = ["", *sorted(few[0].frameworks)[:1], "cis-aws-6.0"]
    ids = [(), *((rule.id,) for rule in few), (few[0].id, few[-1].id)]
    for id, types, framework in itertools.product(ids, [(), (BUCKETS,), (QUEUES,), (BUCKETS, QUEUES)], frameworks):  # fmt: skip
        try:
            kept = select_rules(rulebook, id, types, framework).rules
        except UserError:
            continue
        assert set(id) <= {rule.id for rule in kept}
        assert set(types) <= {rule.type for rule in kept}
        assert kept


@pytest.mark.parametrize(
    ("overrides", "off"),
    [
        ([Override(rule=BUCKET, enabled=False)], True),
        ([Override(rule=BUCKET, enabled=False, accounts=["1"])], False),
        ([Override(rule=BUCKET, enabled=False), Override(rule=BUCKET, tags={"a": "b"})], False),
        ([Override(rule=BUCKET, enabled=False), Override(rule=BUCKET, severity="low")], False),
    ],
)
def test_a_rule_that_the_settings_disable_everywhere_is_named(
    overrides: list[Override], off: bool
) -> None:
    rules = load().rules
    rulebook = Rulebook(rules, overrides)
    others = [rule.id for rule in rules if rule.id != BUCKET][:1]
    for id in ([BUCKET], [BUCKET, *others]):
        if not off:
            assert select_rules(rulebook, id).rules
            continue
        with pytest.raises(UserError, match=r"rules\.overrides") as told:
            select_rules(rulebook, id)
        assert told.value.problems == (f"--rule {BUCKET}: {OFF}",)


def test_a_type_of_which_every_rule_is_disabled_is_named() -> None:
    rules = load().rules
    overrides = [Override(rule=rule.id, enabled=False) for rule in rules if rule.type == QUEUES]
    with pytest.raises(UserError) as told:
        select_rules(Rulebook(rules, overrides), (), [BUCKETS, QUEUES])
    assert told.value.problems == (f"--type {QUEUES}: {OFF}",)
    with pytest.raises(UserError, match=f"--rule .*: {re.escape(OFF)}"):
        select_rules(Rulebook(rules, overrides), [overrides[0].rule])


def test_without_rules_nothing_is_scanned(driftline: Command, tmp_path: Path) -> None:
    (tmp_path / "driftline.yaml").write_text("rules: {builtin: false}\n")
    said = driftline("scan", "folder", ".")
    assert (said.code, said.err) == (2, "error: no rules (check rules.builtin and rules.paths)\n")  # fmt: skip


@pytest.mark.parametrize("name", ["events", "reads"])
def test_a_command_of_an_old_name_says_the_new_one(driftline: Command, name: str) -> None:
    old, new = driftline("collect", name), driftline("collect", "aws", name)
    hint, rest = old.err.split("\n", 1)
    assert hint == f"this command is now: driftline collect aws {name}"
    assert (old.code, rest) == (new.code, new.err)


def test_an_option_of_sweeps_before_another_command(driftline: Command) -> None:
    told = driftline("collect", "aws", "--once", "events")
    assert (told.code, told.err) == (2, "error: --once stands before events (write it behind)\n")


@pytest.mark.parametrize("words", ["replay", "backtest --builtin"])
def test_events_are_of_a_provider_that_is_installed(words: str, driftline: Command, tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "logs").mkdir()
    told = driftline(*words.split(), "--events", f"aw:{tmp_path}/logs")
    assert (told.code, "did you mean 'aws'?" in told.err) == (2, True), told.err
    told = driftline(*words.split(), "--events", "aws:nowhere")
    assert (told.code, "no such file or folder" in told.err) == (2, True), told.err
    old, new = (driftline(*words.split(), *more) for more in (("--cloudtrail", f"{tmp_path}/logs"), ("--events", f"aws:{tmp_path}/logs")))  # fmt: skip
    assert (old.code, old.out) == (new.code, new.out) == (3, old.out)
