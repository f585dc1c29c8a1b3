"""Recognizes and reads CloudTrail log files, wherever they are stored. Pure."""

import codecs
import contextlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import msgspec

from driftline.collectors.aws.events import origin
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.common.files import read_unpacked
from driftline.pipeline.records import codec

MOST_UNPACKED = 128_000_000
"""Maximum size of an uncompressed file in bytes; CloudTrail's have at most about 50 MB."""
MOST_DOCUMENTS = 100_000
LEAST_VALUE = 12
"""Minimum average size in bytes of a value with its name and comma; CloudTrail's have 30. A file with millions of `1,`
would need many times its size in memory."""
DIGEST = frozenset({"digestS3Bucket", "digestStartTime", "logFiles"})


def kind_of(key: str) -> str | None:
    """Returns the kind of a file by its key: `log`, `config`, or None for digests, Insight events and anything else."""
    key = f"/{key}"
    if beside(key):
        return None
    if "/CloudTrail/" in key or "/CloudTrail-NetworkActivity/" in key or key.endswith((".json", ".json.gz")):  # fmt: skip
        return "config" if "/Config/" in key else "log"
    return "config" if "/Config/" in key and not key.endswith("ConfigWritabilityCheckFile") else None  # fmt: skip


def beside(key: str) -> bool:
    """Returns whether a file is a digest or contains Insight events, which are stored beside the logs of a trail."""
    return any(f"/{folder}/" in f"/{key}" for folder in ("CloudTrail-Digest", "CloudTrail-Insight"))


def insight(record: Any) -> bool:
    """Returns whether a record is an Insight event: it reports unusual activity and is not a call itself."""
    return isinstance(record, dict) and (
        record.get("eventCategory") == "Insight" or record.get("eventType") == "AwsCloudTrailInsight"
    )  # fmt: skip


def records(
    file: BinaryIO, key: str = "", most: int = MOST_UNPACKED
) -> Iterator[tuple[str, dict[str, Any] | Malformed]]:
    """Yields the records of a file (gzip or not; `Records`, a list, or one record per line), each with its place
    (`: Records[0]`, `: [0]`, `:1`), and a Malformed for each element that is not a record or belongs to another account
    than the `key`. Digests and Insight events yield nothing.

    Raises Malformed if it is not a log file, is truncated, or uncompresses to more than `most` bytes."""
    try:
        data = read_unpacked(file, most)
    except (OSError, EOFError, zlib.error) as error:
        raise Malformed(f"no log file of CloudTrail, or not whole: {str(error)[:200]}") from None
    account = origin.account_of(key)
    for place, raw in _raws(data):
        try:
            record = codec.decode(raw)
            if insight(record):
                continue
            if not isinstance(record, dict):
                raise Malformed("a record that is no JSON object")
            yield place, origin.owned(record, account, "a log file") if account else record
        except Malformed as why:
            yield place, why


_SOMETHING = re.compile(rb"(?!\xef\xbb\xbf|(?<=\xef)\xbb\xbf|(?<=\xef\xbb)\xbf)\S")
"""The beginning of a document, after spaces and byte order marks."""
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
"""The message of msgspec if something follows a document; positions count from 1."""


class _Log(msgspec.Struct):
    Records: list[msgspec.Raw]


def _raws(data: bytes) -> Iterable[tuple[str, bytes]]:
    data = data.removeprefix(codecs.BOM_UTF8)
    text = data.lstrip()
    if not text:
        raise Malformed("no log file of CloudTrail: empty")
    if max(data.count(b","), data.count(b"\n")) * LEAST_VALUE > max(len(data), 1_000_000):
        raise Malformed("no log file of CloudTrail: too many values for its size")
    if text[:1] not in b"{[":
        raise Malformed("no log file of CloudTrail: neither Records, a list, nor a record a line")
    try:
        if text[:1] == b"{" and _lines(text):
            return _by_line(data)
        found = [_of(document) for document in _documents(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"no log file of CloudTrail, or not whole: {str(error)[:200]}") from None
    if len(found) == 1:
        return found[0]
    return (
        (f": document {number}{place}", raw)
        for number, raws in enumerate(found, 1)
        for place, raw in raws
    )


def _documents(text: bytes) -> Iterator[memoryview]:
    """Yields the concatenated JSON documents of a file, as made by `zcat a b`. Raises DecodeError."""
    view, begin, count = memoryview(text), 0, 0
    while mark := _SOMETHING.search(text, begin):
        begin, count = mark.start(), count + 1
        if count > MOST_DOCUMENTS:
            raise Malformed(
                f"no log file of CloudTrail: more than {MOST_DOCUMENTS} files put together"
            )
        try:
            msgspec.json.decode(view[begin:], type=msgspec.Raw)
        except msgspec.DecodeError as error:
            more = _TRAILING.search(str(error))
            if more is None:
                raise
            yield view[begin : (begin := begin + int(more[1]) - 1)]
        else:
            yield view[begin:]
            return


def _of(document: memoryview) -> list[tuple[str, bytes]]:
    """Returns the records of a document with their places. Raises DecodeError."""
    if document[0] == ord("["):
        found = msgspec.json.decode(document, type=list[msgspec.Raw])
        return [(f": [{number}]", bytes(raw)) for number, raw in enumerate(found)]
    return [(f": Records[{number}]", bytes(raw)) for number, raw in enumerate(_whole(document))]


def _by_line(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields one record per line; a line may also be a whole log file."""
    for number, line in enumerate(data.splitlines(), 1):
        if b'"Records"' in line[:200]:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield from [(f":{number}{place}", raw) for place, raw in _of(memoryview(line))]
                continue
        if line.strip():
            yield f":{number}", line


def _lines(text: bytes) -> bool:
    """Returns whether the first line is a record."""
    if b'"Records"' in text[:200]:
        return False
    first = text.partition(b"\n")[0]
    try:
        return msgspec.json.decode(first, type=dict[str, msgspec.Raw]).keys() >= {"eventName"}  # fmt: skip
    except msgspec.DecodeError:
        return False


def _whole(text: memoryview) -> Sequence[msgspec.Raw | bytes]:
    try:
        return msgspec.json.decode(text, type=_Log).Records
    except msgspec.ValidationError:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).keys()
        if "Records" in fields or not (fields >= DIGEST or "eventName" in fields):
            raise
        return [bytes(text)] if "eventName" in fields else []
