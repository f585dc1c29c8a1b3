"""Reads AWS Config snapshots and tapes from files, so that an account can be evaluated without credentials."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import orjson

from driftline.collectors import installed
from driftline.collectors.aws.places import places
from driftline.collectors.folder.account_block import BLOCK, AccountBlocks
from driftline.collectors.folder.config import MAPPINGS, snapshot_of
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed, UserError
from driftline.pipeline.common.files import open_regular, read_unpacked
from driftline.pipeline.model import Snapshot
from driftline.pipeline.records import codec, tape
from driftline.pipeline.records.topics import CHANGES, SNAPSHOTS, short

UNREADABLE = tape.UNREADABLE
MOST_BYTES = 2_000_000_000
"""Maximum unpacked size of a file. (An AWS Config file contains one region of an account.)"""
MOST_DELIVERED = 512_000_000
"""The same for a file named by a notification."""


@dataclass
class FolderResult:
    """The result of reading files."""

    records: int = 0
    not_judged: Counter[str] = field(default_factory=Counter)
    """Number of resources by type that are not mapped, or that no rule covers."""
    problems: list[str] = field(default_factory=list)


def read(
    paths: Sequence[Path],
    feed: Callable[[str, bytes], None],
    emit: Callable[[Snapshot], None],
    known: set[str] | None,
    redactor: Redactor,
) -> FolderResult:
    """Reads files and folders. Tapes go to `feed` record by record, snapshots to `emit`.

    `known`: the types covered by a rule; None: all."""
    told = FolderResult()
    blocks = AccountBlocks()
    for path in files(paths, told.problems.append):
        try:
            if tape.is_tape(path):
                for entry in entries(path, redactor, told.problems.append):
                    _fed(path, entry, feed, told)
            else:
                _config(path, emit, told, known, redactor, blocks)
        except UserError as why:
            told.problems += why.problems
        except (Malformed, *tape.UNREADABLE) as why:
            told.problems.append(f"{path}: {why}")
    for snapshot in blocks.joined():
        if known is None or snapshot.type in known:
            emit(snapshot)
    return told


def entries(
    path: Path, redactor: Redactor, told: Callable[[str], None]
) -> Iterator[tape.TapeRecord]:
    """The records of a tape, redacted like those of every collector, because its writer may not have done so. Records that cannot be
    redacted, because they are not JSON, are reported and skipped."""
    for entry in tape.read(path, told):
        redacted = _HIDDEN.get(short(entry.topic))
        if redacted is None:
            yield entry
            continue
        elements = []
        try:
            for number, element in enumerate(codec.split(entry.value)):
                try:
                    elements.append(redacted(element, redactor))
                except Malformed as why:
                    told(f"{path}:{entry.line}: [{number}]: {why}")
        except Malformed as why:
            told(f"{path}:{entry.line}: {why}")
        if elements:
            yield entry._replace(value=codec.encode_batch(elements))


@codec.one_record("a record of a tape")
def _redacted(data: bytes, redactor: Redactor) -> bytes:
    element = codec.decode(data)
    if not isinstance(element, dict):
        return data
    kind = installed.row_of(str(element.get("type")))
    if "config" in element:
        whole = {"config": element["config"]}
        paths = [f"config.{path}" for path in kind.redact] if kind else []
        element["config"] = redactor.config(whole, paths)["config"]
    if isinstance(tags := element.get("tags"), dict):
        texts = {k: v for k, v in tags.items() if isinstance(v, str)}
        element["tags"] = redactor.config(tags) | redactor.tags(texts)
    return orjson.dumps(element, option=orjson.OPT_SORT_KEYS)


@codec.one_record("a record of a tape")
def _redacted_change(data: bytes, redactor: Redactor) -> bytes:
    element = codec.decode(data)
    if not isinstance(element, dict):
        return data
    for name in ("raw", "request"):
        if isinstance(element.get(name), dict):
            element[name] = redactor.event(element[name], places())
    return orjson.dumps(element, option=orjson.OPT_SORT_KEYS)


_HIDDEN = {SNAPSHOTS.own: _redacted, CHANGES.own: _redacted_change}
"""How a collector redacts, by topic name without prefix."""


def _fed(
    path: Path, entry: tape.TapeRecord, feed: Callable[[str, bytes], None], told: FolderResult
) -> None:
    try:
        feed(entry.topic, entry.value)
        told.records += 1
    except Malformed as why:
        told.problems.append(f"{path}:{entry.line}: {why}")


def files(paths: Sequence[Path], told: Callable[[str], None]) -> Iterable[Path]:
    """The files of paths and folders, without hidden ones."""
    for path in paths:
        if path.is_dir():
            inside = (p for p in path.rglob("*") if not p.is_dir() and not p.name.startswith("."))
            found = sorted(inside)
            yield from found
            if not found:
                told(f"{path}: no file in it")
        else:
            yield path


def _unpacked(path: Path) -> bytes:
    with open_regular(path) as file:
        return read_unpacked(file, MOST_BYTES)


def _config(
    path: Path,
    emit: Callable[[Snapshot], None],
    told: FolderResult,
    known: set[str] | None,
    redactor: Redactor,
    blocks: AccountBlocks,
) -> None:
    for number, raw in enumerate(_items(_unpacked(path))):
        try:  # an error in one item must not affect the others
            with codec.one_record("a configuration item"):
                item = codec.decode(bytes(raw))
                type_ = _type(item)
                wanted = known is None or type_ in known
                if type_ not in MAPPINGS or not (wanted or type_ == BLOCK):
                    told.not_judged[type_] += 1
                elif (snapshot := snapshot_of(item, redactor)) is None:
                    told.not_judged[f"{type_} (not recorded)"] += 1
                else:
                    blocks.see(snapshot)
                    if wanted:
                        emit(snapshot)
                        told.records += 1
        except Malformed as why:
            told.problems.append(f"{path}: configurationItems[{number}]: {why}")


def _type(item: Any) -> str:
    """A configuration item's resource type. Raises Malformed if it is not an item."""
    if not isinstance(item, dict):
        raise Malformed("no JSON object")
    if not isinstance(type_ := item.get("resourceType"), str):
        raise Malformed("no text as resourceType" if "resourceType" in item else "no resourceType")
    return type_


def config_items(file: BinaryIO) -> Iterator[dict[str, Any] | Malformed]:
    """The items of an AWS Config delivery (gzip or not), or of an oversized message; a Malformed in place of
    an invalid one. Raises Malformed if the file is neither, or cannot be unpacked."""
    try:
        data = read_unpacked(file, MOST_DELIVERED)
    except tape.UNREADABLE as why:
        raise Malformed(f"no delivery of AWS Config: {why}") from None
    try:
        found = _items(data)
    except Malformed:
        one = codec.decode(data)
        item = one.get("configurationItem", one) if isinstance(one, dict) else None
        if not isinstance(item, dict) or "resourceType" not in item:
            raise
        yield item
        return
    for number, raw in enumerate(found):
        try:
            item = codec.decode(bytes(raw))
        except Malformed as why:
            yield Malformed(f"configurationItems[{number}]: {why}")
            continue
        yield item if isinstance(item, dict) else Malformed(f"configurationItems[{number}]: no JSON object")  # fmt: skip


class _File(msgspec.Struct):
    """The outline of an AWS Config snapshot; its items remain bytes, so that each is parsed separately."""

    configurationItems: list[msgspec.Raw]
    fileVersion: str | None = None


def _items(data: bytes) -> list[msgspec.Raw]:
    try:
        file = msgspec.json.decode(data, type=_File)
    except msgspec.ValidationError:
        raise Malformed(
            "neither a tape nor an AWS Config snapshot (which has configurationItems)"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None
    if file.fileVersion is not None and file.fileVersion.split(".")[0] != "1":
        raise Malformed(f"AWS Config's file version {file.fileVersion[:20]} (known is 1)")
    return file.configurationItems
