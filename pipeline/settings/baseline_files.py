"""Reads and writes baselines as files: one resource per file, JSON or YAML. Every error has a location."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from driftline.pipeline.common.errors import Problem
from driftline.pipeline.common.yaml_source import Source, files, hint
from driftline.pipeline.model import Baseline

FIELDS = ("uid", "type", "by", "reason", "expect", "recreated")
FROM_FILE = "file"
"""The `source` of a baseline from a file."""


def read(paths: Sequence[Path], now: datetime) -> tuple[list[Baseline], list[Problem]]:
    """The approved baselines of all files, and all errors."""
    records: list[Baseline] = []
    problems: list[Problem] = []
    places: dict[str, Path] = {}

    def missing(path: Path) -> None:
        problems.append(
            Problem(
                "no such file or folder",
                fix="correct the path",
                place=path,
            )
        )

    for path in files(paths, (".json", ".yaml", ".yml"), missing):
        source = Source(path)
        problems += source.problems
        if source.problems:
            continue
        wrong = list(_wrong(source))
        problems += wrong
        if wrong:
            continue
        uid = source.data["uid"]
        if uid in places:
            problems.append(
                Problem(
                    f"{uid} is also defined in {places[uid]}",
                    fix="remove one of them",
                    place=source.at("uid"),
                )
            )
        places[uid] = path
        records.append(
            Baseline.model_validate(
                source.data | {"kind": "approved", "at": now, "source": FROM_FILE}
            )
        )
    return records, problems


def _wrong(source: Source) -> list[Problem]:
    data = source.data
    if not isinstance(data, dict):
        return [
            Problem("not a baseline", fix="write uid, by, reason and expect", place=source.at())
        ]
    out = [
        Problem(f"unknown field {name!r}", fix=hint(str(name), FIELDS), place=source.at(name))
        for name in data
        if name not in FIELDS
    ]
    texts = ("uid", "by", "reason")
    out += [
        Problem(f"{name} must be text", place=source.at(name))
        for name in texts
        if not _text(data.get(name))
    ]
    expect = data.get("expect")
    if not isinstance(expect, dict) or not expect:
        out.append(
            Problem("expect must map JSON Pointers (/part/…) to values", place=source.at("expect"))
        )
    else:
        out += [
            Problem(
                f"{key!r} is not a JSON Pointer",
                fix="it must begin with /",
                place=source.at("expect", key),
            )
            for key in expect
            if not str(key).startswith("/")
        ]
    if not isinstance(data.get("recreated", False), bool):
        out.append(Problem("recreated must be true or false", place=source.at("recreated")))
    return out


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def write(folder: Path, record: Baseline) -> Path:
    """Writes a file whose name and bytes depend only on the baseline."""
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", record.uid)[-80:].strip("-")
    path = folder / f"{slug}.{sha256(record.uid.encode()).hexdigest()[:8]}.json"
    document: dict[str, Any] = {
        "uid": record.uid,
        "type": record.type,
        "by": record.by,
        "reason": record.reason,
        "expect": record.expect,
    }
    if record.recreated:
        document["recreated"] = True
    path.write_text(
        json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return path
