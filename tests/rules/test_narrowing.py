"""Rules by severity and service, and without some."""

import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.rulebook import Override, load
from driftline.pipeline.rulebook.narrowing import narrow, services_of, severities, shows, words

BOOK = load([], [], builtin=True)


def test_severities_and_services_choose_rules() -> None:
    chosen = narrow(BOOK, ["critical", "high"], ["s3", "Route 53", "acm"], [])
    assert {rule.file.section for rule in chosen.rules} <= {"S3", "Route 53", "Certificate Manager"}
    assert {rule.file.severity for rule in chosen.rules} <= {"critical", "high"}
    assert chosen.rules


def test_a_service_goes_by_its_sections_and_its_types_name() -> None:
    service = "AWS::CertificateManager::Certificate"
    found = services_of("aws-acm-x", service, "Certificate Manager")
    assert found == {"acm", "certificatemanager"}
    found = services_of("own", "storage.googleapis.com/Bucket", "Cloud Storage")
    assert found == {"storage", "cloudstorage"}
    assert narrow(BOOK, [], ["route53"], []).rules == narrow(BOOK, [], ["Route 53"], []).rules


def test_excluded_rules_are_left_out() -> None:
    every = {rule.id for rule in BOOK.rules}
    out = sorted(every)[:2]
    assert {rule.id for rule in narrow(BOOK, [], [], out).rules} == every - set(out)
    assert narrow(BOOK, [], [], []) is BOOK


def test_a_rule_that_an_override_raises_is_judged_and_its_findings_are_looked_at_again() -> None:
    low = next(rule.id for rule in BOOK.rules if rule.file.severity == "low")
    book = load([], [Override(rule=low, severity="critical", accounts=["1"])], builtin=True)
    assert low in {rule.id for rule in narrow(book, ["critical"], [], []).rules}
    assert shows(["critical"], {"rule": {"severity": "critical"}})
    assert not shows(["critical"], {"rule": {"severity": "low"}})
    assert shows([], {"rule": {"severity": "low"}})


def test_every_wrong_name_is_told_at_once_with_what_is_near() -> None:
    with pytest.raises(UserError) as wrong:
        narrow(BOOK, [], ["s4"], ["aws-s3-bucket-tls-onyl"])
    assert [text.split(":")[0] for text in wrong.value.problems] == ["--exclude-rule aws-s3-bucket-tls-onyl", "--service s4"]  # fmt: skip
    assert "aws-s3-bucket-tls-only" in wrong.value.problems[0]
    with pytest.raises(UserError, match=r"--severity hihg: no such severity.*high"):
        severities(["critical,hihg"])
    with pytest.raises(UserError, match="no rule is left"):
        narrow(BOOK, [], [], [rule.id for rule in BOOK.rules])


def test_lists_are_of_words_with_commas() -> None:
    assert words(["a, b", "", "c"]) == words("a,b,,c") == ["a", "b", "c"]
    assert words(None) == []
    assert severities(["Critical, HIGH"]) == ["critical", "high"]
