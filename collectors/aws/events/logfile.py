"""CloudTrail's log files, wherever they lie: which files are some, and what records they hold. Pure."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import msgspec

from collectors.aws.events import origin
from pipeline import wire
from pipeline.errors import Malformed
from pipeline.files import unpacked

MOST_UNPACKED = 128_000_000
"""Bytes of an unpacked file: CloudTrail's are some 50 MB at most."""
LEAST_VALUE = 12
"""Bytes of a value with its name and comma, in the mean: CloudTrail's have thirty. A file of millions of `1,` would fill the
memory many times over."""
DIGEST = frozenset({"digestS3Bucket", "digestStartTime", "logFiles"})


def kind_of(key: str) -> str | None:
    """What a file is by its key: `log`, `config`, or None for digests, Insight events and whatever else."""
    key = f"/{key}"
    if "/CloudTrail-Digest/" in key or "/CloudTrail-Insight/" in key:
        return None
    if "/CloudTrail/" in key or "/CloudTrail-NetworkActivity/" in key or key.endswith((".json", ".json.gz")):  # fmt: skip
        return "config" if "/Config/" in key else "log"
    return "config" if "/Config/" in key and not key.endswith("ConfigWritabilityCheckFile") else None  # fmt: skip


def insight(record: Any) -> bool:
    """Whether a record is CloudTrail's word on unusual activity: about calls, and no call itself."""
    return isinstance(record, dict) and (
        record.get("eventCategory") == "Insight" or record.get("eventType") == "AwsCloudTrailInsight"
    )  # fmt: skip


def records(file: BinaryIO, key: str = "") -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    """The records of a file (gz or not; `Records`, a list, or one a line), by their numbers from 0; a Malformed in the
    place of one that is none, or is of another account than the `key` says. A digest and Insight events give nothing.

    Raises Malformed where it is no log file, is cut off, or unpacks to more than a log file ever is."""
    try:
        data = unpacked(file, MOST_UNPACKED)
    except (OSError, EOFError, zlib.error) as error:
        raise Malformed(f"no log file of CloudTrail, or not whole: {str(error)[:200]}") from None
    account = origin.account_of(key)
    for number, raw in enumerate(_raws(data)):
        try:
            record = wire.decode(bytes(raw))
            if insight(record):
                continue
            if not isinstance(record, dict):
                raise Malformed("a record that is no JSON object")
            yield number, origin.owned(record, account, "a log file") if account else record
        except Malformed as why:
            yield number, why


class _Log(msgspec.Struct):
    Records: list[msgspec.Raw]


def _raws(data: bytes) -> Iterable[bytes]:
    text = data.lstrip()
    if not text:
        raise Malformed("no log file of CloudTrail: empty")
    if max(data.count(b","), data.count(b"\n")) * LEAST_VALUE > max(len(data), 1_000_000):
        raise Malformed("no log file of CloudTrail: too many values for its size")
    try:
        if text[:1] == b"[":
            return map(bytes, msgspec.json.decode(text, type=list[msgspec.Raw]))
        if text[:1] == b"{" and not _lines(text):
            return _whole(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"no log file of CloudTrail, or not whole: {str(error)[:200]}") from None
    if text[:1] != b"{":
        raise Malformed("no log file of CloudTrail: neither Records, a list, nor a record a line")
    return (line for line in text.splitlines() if line.strip())


def _lines(text: bytes) -> bool:
    """Whether the first line is a record by itself."""
    if b'"Records"' in text[:200]:
        return False
    first = text.partition(b"\n")[0]
    try:
        return msgspec.json.decode(first, type=dict[str, msgspec.Raw]).keys() >= {"eventName"}  # fmt: skip
    except msgspec.DecodeError:
        return False


def _whole(text: bytes) -> list[bytes]:
    try:
        return [bytes(raw) for raw in msgspec.json.decode(text, type=_Log).Records]
    except msgspec.ValidationError:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).keys()
        if "Records" in fields or not (fields >= DIGEST or "eventName" in fields):
            raise
        return [text] if "eventName" in fields else []
