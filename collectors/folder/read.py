"""Reads tapes and files of providers, so that an account can be evaluated without credentials."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import orjson

from driftline.collectors import installed
from driftline.collectors.folder.formats import (
    FileReader,
    FolderResult,
    KnowsPlaces,
    OtherForm,
    ReadsFiles,
)
from driftline.collectors.redact import Places, Redactor
from driftline.pipeline.common.errors import Malformed, UserError
from driftline.pipeline.model import Snapshot
from driftline.pipeline.records import codec, tape
from driftline.pipeline.records.topics import CHANGES, SNAPSHOTS, short

UNREADABLE = tape.UNREADABLE


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
    readers = [one.files(redactor) for one in installed.modules() if isinstance(one, ReadsFiles)]
    for path in files(paths, told.problems.append):
        try:
            if tape.is_tape(path):
                for entry in entries(path, redactor, told.problems.append):
                    _fed(path, entry, feed, told)
            else:
                _file(path, emit, told, known, readers)
        except UserError as why:
            told.problems += why.problems
        except (Malformed, *tape.UNREADABLE) as why:
            told.problems.append(f"{path}: {why}")
    for reader in readers:
        for snapshot in reader.end():
            if known is None or snapshot.type in known:
                emit(snapshot)
    return told


def _file(
    path: Path, emit: Callable[[Snapshot], None], told: FolderResult, known: set[str] | None, readers: Sequence[FileReader]
) -> None:  # fmt: skip
    """Reads a file that is not a tape with the first reader that knows its format. Raises Malformed if none does."""
    other: OtherForm | None = None
    for reader in readers:
        try:
            return reader.read(path, emit, told, known)
        except OtherForm as why:
            other = other or why
    raise other or OtherForm("not a tape")


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
            for places in _places(str(element.get("provider"))):
                element[name] = redactor.event(element[name], places)
    return orjson.dumps(element, option=orjson.OPT_SORT_KEYS)


@cache
def _places(provider: str) -> tuple[Places, ...]:
    """Where events of a provider contain secrets; for an unknown provider, the places of all."""
    known = {one.provider: one.event_places() for one in installed.modules() if isinstance(one, KnowsPlaces)}  # fmt: skip
    return (known[provider],) if provider in known else tuple(known.values())


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
