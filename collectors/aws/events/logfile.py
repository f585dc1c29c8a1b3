"""CloudTrail's log files, wherever they lie: which files are some, and what records they hold. Pure."""

import codecs
import zlib
from collections.abc import Iterable, Iterator, Sequence
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
    if beside(key):
        return None
    if "/CloudTrail/" in key or "/CloudTrail-NetworkActivity/" in key or key.endswith((".json", ".json.gz")):  # fmt: skip
        return "config" if "/Config/" in key else "log"
    return "config" if "/Config/" in key and not key.endswith("ConfigWritabilityCheckFile") else None  # fmt: skip


def beside(key: str) -> bool:
    """Whether a file is a digest or holds Insight events: what lies beside the logs in a trail's folder."""
    return any(f"/{folder}/" in f"/{key}" for folder in ("CloudTrail-Digest", "CloudTrail-Insight"))


def insight(record: Any) -> bool:
    """Whether a record is CloudTrail's word on unusual activity: about calls, and no call itself."""
    return isinstance(record, dict) and (
        record.get("eventCategory") == "Insight" or record.get("eventType") == "AwsCloudTrailInsight"
    )  # fmt: skip


def records(
    file: BinaryIO, key: str = "", most: int = MOST_UNPACKED
) -> Iterator[tuple[str, dict[str, Any] | Malformed]]:
    """The records of a file (gz or not; `Records`, a list, or one a line), each with its place (`: Records[0]`, `: [0]`,
    `:1`); a Malformed in the place of one that is none, or is of another account than the `key` says. A digest and
    Insight events give nothing.

    Raises Malformed where it is no log file, is cut off, or unpacks to more than `most` bytes."""
    try:
        data = unpacked(file, most)
    except (OSError, EOFError, zlib.error) as error:
        raise Malformed(f"no log file of CloudTrail, or not whole: {str(error)[:200]}") from None
    account = origin.account_of(key)
    for place, raw in _raws(data):
        try:
            record = wire.decode(raw)
            if insight(record):
                continue
            if not isinstance(record, dict):
                raise Malformed("a record that is no JSON object")
            yield place, origin.owned(record, account, "a log file") if account else record
        except Malformed as why:
            yield place, why


class _Log(msgspec.Struct):
    Records: list[msgspec.Raw]


def _raws(data: bytes) -> Iterable[tuple[str, bytes]]:
    data = data.removeprefix(codecs.BOM_UTF8)
    text = data.lstrip()
    if not text:
        raise Malformed("no log file of CloudTrail: empty")
    if max(data.count(b","), data.count(b"\n")) * LEAST_VALUE > max(len(data), 1_000_000):
        raise Malformed("no log file of CloudTrail: too many values for its size")
    try:
        if text[:1] == b"[":
            found = msgspec.json.decode(text, type=list[msgspec.Raw])
            return ((f": [{number}]", bytes(raw)) for number, raw in enumerate(found))
        if text[:1] == b"{" and not _lines(text):
            return ((f": Records[{number}]", bytes(raw)) for number, raw in enumerate(_whole(text)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"no log file of CloudTrail, or not whole: {str(error)[:200]}") from None
    if text[:1] != b"{":
        raise Malformed("no log file of CloudTrail: neither Records, a list, nor a record a line")
    return ((f":{number}", line) for number, line in enumerate(data.splitlines(), 1) if line.strip())  # fmt: skip


def _lines(text: bytes) -> bool:
    """Whether the first line is a record by itself."""
    if b'"Records"' in text[:200]:
        return False
    first = text.partition(b"\n")[0]
    try:
        return msgspec.json.decode(first, type=dict[str, msgspec.Raw]).keys() >= {"eventName"}  # fmt: skip
    except msgspec.DecodeError:
        return False


def _whole(text: bytes) -> Sequence[msgspec.Raw | bytes]:
    try:
        return msgspec.json.decode(text, type=_Log).Records
    except msgspec.ValidationError:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).keys()
        if "Records" in fields or not (fields >= DIGEST or "eventName" in fields):
            raise
        return [text] if "eventName" in fields else []
