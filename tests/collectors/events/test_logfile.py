"""CloudTrail's log files: every form, what is passed over, and what is none."""

import gzip
import io
import json
from typing import Any

import pytest

from driftline.collectors.aws.events.logfile import kind_of, records
from driftline.collectors.aws.events.origin import ForgedEvent
from driftline.pipeline.common.errors import Malformed
from tests.collectors.events.samples import ACCOUNT, LOG, OPENED


def log(*found: Any) -> bytes:
    return json.dumps({"Records": list(found)}).encode()


def of(data: bytes, key: str = "") -> list[Any]:
    return [record for _, record in records(io.BytesIO(data), key)]


LINES = f"{json.dumps(OPENED)}\n\n{json.dumps(OPENED)}\n".encode()
FORMS = {
    "Records": log(OPENED, OPENED), "indented": json.dumps({"Records": [OPENED, OPENED]}, indent=1).encode(),
    "a list": json.dumps([OPENED, OPENED]).encode(), "one a line": LINES,
    "with a mark": b"\xef\xbb\xbf" + log(OPENED, OPENED), "one a line with a mark": b"\xef\xbb\xbf" + LINES,
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_a_log_file(form: str, packed: bool) -> None:
    data = gzip.compress(FORMS[form]) if packed else FORMS[form]
    assert of(data) == [OPENED, OPENED]


def test_one_record_alone() -> None:
    assert of(json.dumps(OPENED, indent=1).encode()) == [OPENED]


def test_a_bad_record_does_not_bury_the_others() -> None:
    found = of(log(OPENED, 5, OPENED))
    assert [isinstance(one, Malformed) for one in found] == [False, True, False]


@pytest.mark.parametrize(
    "data",
    [b"", b" \n", b"{}", b"x", gzip.compress(log(OPENED))[:-20], gzip.compress(b"{}"), b"\x1f\x8bnonsense", b'{"Records": 5}',
     b'{"Records": [', b'"text"', b"PK\x03\x04zip", b'{"Records": [' + b"1," * 900_000 + b"1]}", b"[" * 100_000],
    ids=["empty", "blank", "no records", "no json", "cut", "packed without records", "spoiled", "a number", "open", "text", "zip",
         "a million ones", "deep"],
)  # fmt: skip
def test_what_is_no_log_file(data: bytes) -> None:
    with pytest.raises(Malformed):
        of(data)


def test_a_bomb_is_refused() -> None:
    with pytest.raises(Malformed, match="more than"):
        list(records(io.BytesIO(gzip.compress(b" " * 100_000)), most=10_000))


DIGEST = {
    "awsAccountId": ACCOUNT,
    "digestStartTime": "x",
    "digestS3Bucket": "b",
    "digestS3Object": "o",
    "logFiles": [],
}
INSIGHT = {
    "eventID": "i",
    "eventType": "AwsCloudTrailInsight",
    "eventCategory": "Insight",
    "recipientAccountId": ACCOUNT,
}


def test_digests_and_insight_events_are_passed_over() -> None:
    """Wherever they lie: a copy of a bucket has them beside the logs."""
    assert of(json.dumps(DIGEST).encode()) == []
    assert of(gzip.compress(json.dumps(DIGEST | {"logFiles": [{"s3Bucket": "b"}]}).encode())) == []
    assert of(log(INSIGHT, OPENED, INSIGHT)) == [OPENED]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (LOG, "log"), (LOG.replace("/CloudTrail/", "/CloudTrail-Digest/"), None), (LOG.replace("/CloudTrail/", "/CloudTrail-Insight/"), None),
        (LOG.replace("/CloudTrail/", "/CloudTrail-NetworkActivity/"), "log"), ("CloudTrail-Digest/eu-west-1/d.json", None), ("a.json", "log"),
        ("AWSLogs/1/Config/x.json.gz", "config"), ("AWSLogs/1/Config/ConfigWritabilityCheckFile", None), ("a.txt", None),
    ],
)  # fmt: skip
def test_what_a_file_is_by_its_key(key: str, kind: str | None) -> None:
    assert kind_of(key) == kind


def test_a_file_tells_only_of_the_account_in_its_key() -> None:
    other = OPENED | {"recipientAccountId": "222222222222"}
    good, bad = of(log(OPENED, other), LOG)
    assert good == OPENED
    assert isinstance(bad, ForgedEvent)
    assert "111111111111" in str(bad)
    assert "222222222222" in str(bad)
    assert of(log(other), "copied/x.json.gz") == [other]  # says none
    unsaid = {k: v for k, v in OPENED.items() if k != "recipientAccountId"}
    assert of(log(unsaid), LOG) == [OPENED | {"recipientAccountId": ACCOUNT}]
    assert of(log(OPENED), LOG.replace("AWSLogs/", "AWSLogs/o-0123456789/")) == [OPENED]


@pytest.mark.parametrize("between", [b"", b"\n", b" \r\n\t", b"\xef\xbb\xbf"])
def test_files_that_were_put_together(between: bytes) -> None:
    """As `zcat a b > c` does, of files of any form."""
    a, b, c, d = (OPENED | {"eventID": name} for name in "abcd")
    forms = [
        json.dumps({"Records": [a, b]}).encode(), json.dumps([c], indent=1).encode(), json.dumps({"Records": []}).encode(),
        json.dumps(d, indent=2).encode(),
    ]  # fmt: skip
    found: list[Any] = []
    for one in (between.join(forms), gzip.compress(between.join(forms)), b"".join(map(gzip.compress, forms))):  # fmt: skip
        found = list(records(io.BytesIO(one)))
        assert [record["eventID"] for _, record in found if not isinstance(record, Malformed)] == list("abcd")  # fmt: skip
    assert [place for place, _ in found] == [": document 1: Records[0]", ": document 1: Records[1]", ": document 2: [0]", ": document 4: Records[0]"]  # fmt: skip


def test_a_line_may_be_a_whole_file() -> None:
    a, b, c = (OPENED | {"eventID": name} for name in "abc")
    text = "\n".join(json.dumps(one) for one in (a, {"Records": [b]}, c))
    found = list(records(io.BytesIO(text.encode())))
    assert [record["eventID"] for _, record in found if not isinstance(record, Malformed)] == list("abc")  # fmt: skip
    assert [place for place, _ in found] == [":1", ":2: Records[0]", ":3"]


@pytest.mark.parametrize("rest", [b"x", b'{"Records": [', b"}", b"1", b'{"a": 1}', b"[]" * 200_000])
def test_of_files_put_together_one_that_is_none_is_told(rest: bytes) -> None:
    with pytest.raises(Malformed, match="no log file of CloudTrail"):
        list(records(io.BytesIO(json.dumps({"Records": [OPENED]}).encode() + rest)))
