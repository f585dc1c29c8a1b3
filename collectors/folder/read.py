"""Files as a source: AWS Config snapshots and our own tapes. An account can be judged without credentials."""

import gzip
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collectors.folder.config import MAPPINGS, snapshot_of
from collectors.redact import Redactor
from pipeline import tape, wire
from pipeline.errors import Malformed, UserError
from pipeline.model import Snapshot

MOST_BYTES = 2_000_000_000
"""Of one file, unpacked. (One of AWS Config holds a region of an account.)"""


@dataclass
class Told:
    """What became of the files."""

    records: int = 0
    not_judged: Counter[str] = field(default_factory=Counter)
    """Resources by type whose files are not mapped, or that no rule is about."""
    problems: list[str] = field(default_factory=list)


def read(
    paths: Sequence[Path],
    feed: Callable[[str, bytes], None],
    emit: Callable[[Snapshot], None],
    known: set[str] | None = None,
    redactor: Redactor | None = None,
) -> Told:
    """Reads files and folders. Tapes go to `feed` record by record, snapshots to `emit`.

    `known`: the types that some rule is about. Without a redactor a key of this run alone is used."""
    told, redactor = Told(), redactor or Redactor(os.urandom(32))
    for path in _files(paths):
        try:
            if tape.is_tape(path):
                for entry in tape.read(path):
                    feed(entry.topic, entry.value)
                    told.records += 1
            else:
                _config(path, emit, told, known, redactor)
        except UserError as why:
            told.problems += why.problems
        except (Malformed, OSError, EOFError) as why:
            told.problems.append(f"{path}: {why}")
    return told


def _files(paths: Sequence[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")
            )
        else:
            yield path


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Malformed(f"more than {MOST_BYTES} bytes unpacked")
    return bytes(data)


def _config(
    path: Path,
    emit: Callable[[Snapshot], None],
    told: Told,
    known: set[str] | None,
    redactor: Redactor,
) -> None:
    whole = wire.decode(_unpacked(path), most=MOST_BYTES)
    items = whole.get("configurationItems") if isinstance(whole, dict) else None
    if not isinstance(items, list):
        raise Malformed("neither a tape nor an AWS Config snapshot (which has configurationItems)")
    for number, item in enumerate(items):
        try:
            type_ = str(item["resourceType"])
            if type_ not in MAPPINGS or (known is not None and type_ not in known):
                told.not_judged[type_] += 1
            elif (snapshot := snapshot_of(item, redactor)) is None:
                told.not_judged[f"{type_} (not recorded)"] += 1
            else:
                emit(snapshot)
                told.records += 1
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, Malformed) as why:
            told.problems.append(f"{path}: configurationItems[{number}]: {_told(why)}")


def _told(why: Exception) -> str:
    if isinstance(why, KeyError):
        return f"no {why.args[0]!r}"
    text = str(why).splitlines()
    return (
        text[0]
        if isinstance(why, Malformed) and text
        else f"{type(why).__name__}: {' '.join(text)[:300]}"
    )
