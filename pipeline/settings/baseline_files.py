"""Baselines as files of a folder under Git: one resource a file, JSON or YAML. Every mistake has its place."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from driftline.pipeline.common.yaml_source import Source, files, nearest
from driftline.pipeline.model import Baseline

FIELDS = ("uid", "type", "by", "reason", "expect", "recreated")
FROM_FILE = "file"
"""The source of a baseline that a file holds."""


def read(paths: Sequence[Path], now: datetime) -> tuple[list[Baseline], list[str]]:
    """The approved baselines of every file, and every mistake."""
    records: list[Baseline] = []
    problems: list[str] = []
    places: dict[str, Path] = {}

    def missing(path: Path) -> None:
        problems.append(f"{path}: there is no such file or folder of baselines (correct the path)")

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
                f"{source.at('uid')}: {uid} stands in {places[uid]} too (keep one of them)"
            )
        places[uid] = path
        records.append(
            Baseline.model_validate(
                source.data | {"kind": "approved", "at": now, "source": FROM_FILE}
            )
        )
    return records, problems


def _wrong(source: Source) -> list[str]:
    data = source.data
    if not isinstance(data, dict):
        return [f"{source.at()}: not a baseline (write uid, by, reason and expect)"]
    out = [
        f"{source.at(name)}: there is no field {name!r}{nearest(str(name), FIELDS)}"
        for name in data
        if name not in FIELDS
    ]
    texts = ("uid", "by", "reason")
    out += [
        f"{source.at(name)}: {name} must be text" for name in texts if not _text(data.get(name))
    ]
    expect = data.get("expect")
    if not isinstance(expect, dict) or not expect:
        out.append(f"{source.at('expect')}: expect must map JSON Pointers (/part/…) to values")
    else:
        out += [
            f"{source.at('expect', key)}: {key!r} is no JSON Pointer (it begins with /)"
            for key in expect
            if not str(key).startswith("/")
        ]
    if not isinstance(data.get("recreated", False), bool):
        out.append(f"{source.at('recreated')}: recreated must be true or false")
    return out


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def write(folder: Path, record: Baseline) -> Path:
    """One file, always of the same name and the same bytes for the same baseline."""
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
