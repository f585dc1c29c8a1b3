"""Loads folders of Sigma files: rules, correlations and filters. Every mistake has its place. Pure except for reading
files."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from driftline.pipeline.common import files
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import Source, hint, nearest
from driftline.pipeline.detections.correlations import Correlation, correlation
from driftline.pipeline.detections.index import DetectionIndex
from driftline.pipeline.detections.match import SigmaRuleError
from driftline.pipeline.detections.rule import Detection, compile_rule
from driftline.pipeline.detections.values import EventView

KNOWN = (
    "title", "id", "name", "related", "taxonomy", "status", "description", "license", "references", "author", "date",
    "modified", "logsource", "detection", "fields", "falsepositives", "level", "tags", "scope", "correlation", "filter",
    "custom", "generate", "aliases", "driftline", "simulation", "regression_tests_path",
)  # fmt: skip
"""Keys that a document may have: those of the specification, those that SigmaHQ's tools write, and our own block."""
OTHERS = ({"id", "type", "must"}, {"id", "controls"}, {"everywhere", "types"})
"""Keys that identify posture rules, frameworks and console tables, which may lie in the same folders."""
MOST_DOCUMENTS = 2000
"""Per file."""
REMEMBERED = 1024
"""Files whose documents and rules are kept: a command that loads again parses and compiles only what has changed."""
_APART = re.compile(r"^---\s*$", re.MULTILINE)


@dataclass(frozen=True)
class LoadedDocument:
    """The result of loading one document."""

    path: str
    place: str
    title: str
    kind: str
    """`rule`, `correlation`, `filter`, or `unknown`."""
    problems: tuple[str, ...] = ()
    name: str = ""
    """The name that correlations use, and the id."""
    id: str = ""


@dataclass
class DetectionSet:
    """Everything that was loaded, with an index."""

    rules: dict[str, Detection] = field(default_factory=dict)
    correlations: dict[str, Correlation] = field(default_factory=dict)
    documents: list[LoadedDocument] = field(default_factory=list)
    others: int = 0
    """Posture rules and frameworks found among the files."""
    _index: DetectionIndex = field(default_factory=lambda: DetectionIndex(()))

    @property
    def problems(self) -> list[str]:
        return [problem for one in self.documents for problem in one.problems]

    def indexed(self) -> "DetectionSet":
        """Builds the index."""
        self._index = DetectionIndex(self.rules.values())
        return self

    def may_match(self, view: EventView, product: str, service: str) -> bool:
        """Returns whether a rule may match an event for which not all of Driftline's own fields are known."""
        return any(rule.may_match(view) for rule in self._index.of(product, service).about(view))

    def matching(self, view: EventView, product: str, service: str) -> list[Detection]:
        """Returns the rules that match an event of a log source."""
        found = self._index.of(product, service).about(view)
        return [rule for rule in found if rule.matches(view)]


def load(paths: Sequence[Path], lists: Mapping[str, Sequence[str]] | None = None) -> DetectionSet:
    """Loads every Sigma document below the paths. Documents that do not load are reported and left out; posture rules
    and frameworks in the same folders are skipped. A file counts once, even if several paths contain it. Raises
    UserError if a path does not exist."""
    missing = [f"{path}: there is no such file or folder" for path in paths if not path.exists()]
    if missing:
        raise UserError(*missing)
    found, filters = DetectionSet(), list[tuple[LoadedDocument, dict[str, Any]]]()
    for path in _files(paths):
        for source in _documents(path):
            if path not in paths and _is_other(source.data):
                found.others += 1
            else:
                _take(source, found, filters, lists or {})
    _filtered(found, filters, lists or {})
    _connected(found)
    return found.indexed()


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.suffix in (".yml", ".yaml") and not p.is_dir()) if path.is_dir() else [path]  # fmt: skip
        for one in inside:
            if (real := one.resolve()) not in seen:
                seen.add(real)
                yield one


def _is_other(data: Any) -> bool:
    """Returns whether a document is not a Sigma document, but a posture rule or a framework."""
    return isinstance(data, dict) and any(keys <= data.keys() for keys in OTHERS)


def _documents(path: Path) -> Iterator[Source]:
    """Returns a file's documents, each with its own line numbers."""
    try:
        text = files.read_text(path)
    except (OSError, ValueError):
        yield Source(path)
        return
    yield from _parsed(path, text)


@lru_cache(REMEMBERED)
def _parsed(path: Path, text: str) -> tuple[Source, ...]:
    return tuple(_split(path, text))


def _split(path: Path, text: str) -> Iterator[Source]:
    start, line, count = 0, 1, 0
    for mark in [*_APART.finditer(text), None]:
        end = mark.start() if mark else len(text)
        part = text[start:end]
        if part.strip():
            count += 1
            if count > MOST_DOCUMENTS:
                rest = Source(path, "", first=line)
                rest.problems.append(
                    Problem(
                        f"more than {MOST_DOCUMENTS} documents",
                        fix="make several files of it",
                        place=rest.at(),
                    )
                )
                yield rest
                return
            yield Source(path, part, first=line)
        line += text.count("\n", start, mark.end() if mark else end)
        start = mark.end() if mark else end


def _take(source: Source, found: DetectionSet, filters: list[Any], lists: Mapping[str, Sequence[str]]) -> None:  # fmt: skip
    data = source.data
    if not isinstance(data, dict):
        problems = source.problems or [
            Problem("no Sigma document", fix="it begins with title:", place=source.at())
        ]
        found.documents.append(
            LoadedDocument(str(source.path), source.at(), "", "unknown", tuple(problems))
        )
        return
    kind = next((k for k in ("correlation", "filter") if k in data), "rule")
    problems = list(source.problems)
    problems += [
        Problem(f"unknown key {key!r}", hint(str(key), KNOWN), source.at(key))
        for key in data
        if key not in KNOWN
    ]
    title = str(data.get("title", ""))
    id = str(data.get("id") or data.get("name") or title)
    told = LoadedDocument(
        str(source.path), source.at(), title, kind, (), str(data.get("name") or ""), id
    )
    if not id:
        problems.append(Problem("id and title are missing", place=source.at()))
    elif id in found.rules or id in found.correlations:
        problems.append(
            Problem(
                f"{id} is also used in another file", fix="choose another id", place=source.at("id")
            )
        )
    if not problems:
        try:
            if kind == "rule":
                found.rules[id] = replace(_compiled(source, _frozen(lists)), id=id)
            elif kind == "correlation":
                found.correlations[id] = correlation(data, id, str(source.path))
            else:
                filters.append((told, data))
        except Exception as why:  # any error is attributed to the document
            place = source.at(kind if kind != "rule" else "detection")
            problems.append(Problem(_told(why), place=place))
    found.documents.append(replace(told, problems=tuple(problems)))


Lists = tuple[tuple[str, tuple[str, ...]], ...]


def _frozen(lists: Mapping[str, Sequence[str]]) -> Lists:
    return tuple((name, tuple(values)) for name, values in lists.items())


@lru_cache(REMEMBERED)
def _compiled(source: Source, lists: Lists) -> Detection:
    return compile_rule(source.data, dict(lists), str(source.path))


def _told(why: Exception) -> str:
    """Returns the problem for the user; for unexpected errors with the exception's class."""
    if isinstance(why, SigmaRuleError):
        return str(why)
    return f"{type(why).__name__}: {str(why)[:300]}"


def _named(found: DetectionSet) -> dict[str, str]:
    """Returns the names by which a rule or correlation may be referenced, by id."""
    out: dict[str, str] = {}
    every: list[Detection | Correlation] = [*found.rules.values(), *found.correlations.values()]
    for one in every:
        out[one.id] = one.id
        if one.name:
            out[one.name] = one.id
    return out


def _filtered(found: DetectionSet, filters: list[tuple[LoadedDocument, dict[str, Any]]], lists: Mapping[str, Sequence[str]]) -> None:  # fmt: skip
    """Adds a filter's condition to the rules it names."""
    named = _named(found)
    for told, data in filters:
        block = data["filter"] if isinstance(data["filter"], dict) else {}
        wanted = block.get("rules", [])
        condition = {k: v for k, v in block.items() if k != "rules"}
        problems = []
        try:
            own = compile_rule({"title": told.title, "logsource": data.get("logsource", {}), "detection": condition}, lists)  # fmt: skip
        except Exception as why:
            problems.append(Problem(_told(why), place=told.place))
        else:
            ids = list(found.rules) if wanted == "any" else [named.get(str(one)) for one in wanted]
            unknown = [str(one) for one, id in zip(wanted, ids, strict=False) if id is None]
            problems += [Problem(f"no rule {one}", hint(one, named), told.place) for one in unknown]
            for id in ids:
                if id in found.rules:
                    found.rules[id] = _both(found.rules[id], own)
        if problems:
            found.documents = [replace(t, problems=tuple(problems)) if t is told or t == told else t for t in found.documents]  # fmt: skip


def _both(rule: Detection, own: Detection) -> Detection:
    first, second = rule.matches, own.matches
    return replace(
        rule, matches=lambda view: first(view) and second(view), fields=rule.fields | own.fields,
        possible=lambda view: rule.may_match(view) and own.may_match(view),
    )  # fmt: skip


def _connected(found: DetectionSet) -> None:
    """Checks that correlations refer to what exists, and never to themselves, directly or indirectly."""
    named = _named(found)
    broken = {name for told in found.documents if told.problems for name in (told.name, told.id)}
    for id, one in list(found.correlations.items()):
        unknown = [name for name in one.rules if name not in named]
        round_ = _round(id, found, named)
        others = named.keys() - {id, one.name}
        why = [
            f"{one.path}: correlation {one.name or id}: " + (f"its rule {name} does not load" if name in broken else f"no rule {name}{nearest(name, others)}")
            for name in unknown
        ]  # fmt: skip
        if round_:
            why.append(
                Problem(
                    f"correlation {id} refers to itself (by {' → '.join(round_)})",
                    place=one.path,
                )
            )
        if why:
            del found.correlations[id]
            found.documents = [replace(told, problems=tuple(why)) if (told.path, told.id, told.problems) == (one.path, id, ()) else told for told in found.documents]  # fmt: skip
        else:
            ids = {name: named[name] for name in one.rules}
            standing = {ids[rule]: ids[end] for rule, end in one.standing.items()}
            found.correlations[id] = replace(one, rules=tuple(ids[name] for name in one.rules), called=ids, standing=standing)  # fmt: skip


def _round(start: str, found: DetectionSet, named: Mapping[str, str]) -> list[str]:
    def walk(id: str, path: list[str]) -> list[str]:
        one = found.correlations.get(id)
        for name in one.rules if one else ():
            below = named.get(name, "")
            if below == start:
                return [*path, start]
            if below not in path and (way := walk(below, [*path, below])):
                return way
        return []

    return walk(start, [start])
