"""Reads risk exceptions from files or the command line. Every error has a location."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from driftline.pipeline.common.errors import Problem
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.common.yaml_source import MORE, MOST_PROBLEMS, Source, files, hint
from driftline.pipeline.model import RiskException, exception_id
from driftline.pipeline.providers.installed import names
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.rulebook.baseline_rules import STANDING_IDS

FIELDS = (
    "id",
    "rule",
    "control",
    "resource",
    "account",
    "provider",
    "tags",
    "reason",
    "owner",
    "approver",
    "until",
    "recreated",
)
TEXTS = (
    "id", "rule", "control", "resource", "account", "provider", "reason", "owner", "approver", "until",
)  # fmt: skip
ID = re.compile(r"[a-z0-9][a-z0-9._-]{2,79}")
LONGEST_TEXT = 1000
SHORTEST_REASON = 10
At = Callable[..., str]
"""Returns the location of a field; without a name, that of the exception."""


@dataclass
class Read:
    """What was found."""

    records: list[RiskException] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """Valid, but probably unintended."""


@dataclass(frozen=True)
class Checker:
    """The context in which exceptions are checked."""

    rulebook: Rulebook
    now: datetime
    longest: timedelta
    """How far in the future an exception may end."""

    def folders(self, paths: Sequence[Path]) -> Read:
        """The exceptions in all YAML files of the folders (or files); a file holds one exception or a list."""
        found, places = Read(), dict[str, str]()

        def missing(path: Path) -> None:
            found.problems.append(
                Problem(
                    "no such file or folder",
                    fix="correct exceptions.paths or the path",
                    place=path,
                )
            )

        for path in files(paths, (".yaml", ".yml"), missing):
            source = Source(path)
            found.problems += source.problems
            if source.problems or source.data is None:
                continue
            data = source.data if isinstance(source.data, list) else [source.data]
            before = len(found.problems)
            for number, one in enumerate(data):
                if len(found.problems) - before > MOST_PROBLEMS:
                    found.problems.append(Problem(MORE, place=source.at(number)))
                    break
                at = _within(source, number if isinstance(source.data, list) else None)
                record = self.checked(one, at, found, "file")
                if record is None:
                    continue
                if record.id in places:
                    found.problems.append(
                        Problem(
                            f"the same exception is defined at {places[record.id]}",
                            fix="remove one of them, or change its id or scope",
                            place=at("id"),
                        )
                    )
                places.setdefault(record.id, at())
        return found

    def checked(
        self, data: Any, at: At, found: Read, source: Literal["file", "command"]
    ) -> RiskException | None:
        """Reads one exception. Adds errors, warnings and, if valid, the record to `found`."""
        before = len(found.problems)
        if not isinstance(data, dict):
            found.problems.append(
                Problem(
                    "an exception is a mapping",
                    fix="rule, resource, reason, owner, approver, until",
                    place=at(),
                )
            )
            return None
        data = {k: str(v) if k == "account" and type(v) is int else v for k, v in data.items()}
        found.problems += self._fields(data, at)
        if len(found.problems) > before:
            return None
        found.problems += self._scope(data, at)
        found.problems += _people(data, at)
        until = _time(data["until"])
        if until is None:
            found.problems.append(
                Problem(
                    f"until: {data['until']!r} is not a time",
                    fix="write 2027-03-31, or 2027-03-31T12:00:00Z",
                    place=at("until"),
                )
            )
        elif until > self.now + self.longest + timedelta(days=1):
            found.problems.append(
                Problem(
                    f"until: more than {number_of(self.longest.days, 'day')} ahead",
                    fix="use an earlier date and review the exception then",
                    place=at("until"),
                )
            )
        if until is None or len(found.problems) > before:
            return None
        record = RiskException.model_validate(
            data | {"id": data.get("id") or "", "at": self.now, "until": until, "source": source}
        )
        if not record.id:
            record.id = exception_id(record.scope)
        found.warnings += self._doubts(record, at)
        found.records.append(record)
        return record

    def _fields(self, data: Mapping[Any, Any], at: At) -> Iterable[Problem]:
        for name in data:
            if name not in FIELDS:
                yield Problem(
                    f"unknown field {name!r}", fix=hint(str(name), FIELDS), place=at(name)
                )
        for name in TEXTS:
            value = data.get(name)
            if name not in data:
                continue
            if not isinstance(value, str) or not value.strip():
                yield Problem(f"{name} must be text", fix="put it in quotes", place=at(name))
            elif len(value) > LONGEST_TEXT:
                yield Problem(
                    f"{name}: more than {LONGEST_TEXT} characters",
                    fix="shorten it, and link to details",
                    place=at(name),
                )
        for name in ("reason", "owner", "approver", "until"):
            if name not in data:
                yield Problem(f"{name} is missing", place=at())
        if ("rule" in data) == ("control" in data):
            yield Problem(
                "needs either rule or control",
                fix="set exactly one of them",
                place=at("control"),
            )
        yield from _kinds(data, at)

    def _scope(self, data: Mapping[str, Any], at: At) -> Iterable[Problem]:
        known = {rule.id for rule in self.rulebook.rules} | STANDING_IDS.keys()
        if (rule := data.get("rule")) and rule not in known:
            yield Problem(f"there is no rule {rule!r}", fix=hint(rule, known), place=at("rule"))
        if (provider := data.get("provider")) and provider not in names():
            yield Problem(
                f"no provider {provider!r} is installed",
                fix=hint(provider, names()),
                place=at("provider"),
            )
        if control := data.get("control"):
            controls = {
                f"{f}:{c}"
                for rule in self.rulebook.rules
                for f, cs in rule.frameworks.items()
                for c in cs
            }
            if control not in controls:
                yield Problem(
                    f"no rule covers {control!r}",
                    fix=hint(control, controls),
                    place=at("control"),
                )

    def _doubts(self, record: RiskException, at: At) -> Iterable[Problem]:
        if record.until <= self.now:
            yield Problem(
                f"{record.id} ended on {record.until:%Y-%m-%d}",
                fix="delete it, or set another end",
                place=at("until"),
            )
        if wide(record):
            yield Problem(
                f"{record.id} is too broad: it covers every resource in every account",
                fix="name resources, an account or tags",
                place=at("resource"),
            )


def _kinds(data: Mapping[Any, Any], at: At) -> Iterable[Problem]:
    tags = data.get("tags", {})
    if not isinstance(tags, dict) or not all(
        isinstance(v, str) for pair in tags.items() for v in pair
    ):
        yield Problem(
            "tags must map names to text", fix="write for example: {env: dev}", place=at("tags")
        )
    if not isinstance(data.get("recreated", False), bool):
        yield Problem("recreated must be true or false", place=at("recreated"))
    if isinstance(id := data.get("id"), str) and not ID.fullmatch(id):
        yield Problem("id: 3 to 80 of a-z, 0-9, dot, dash and underscore", place=at("id"))


def wide(record: RiskException) -> bool:
    """Whether it covers every resource of its rule or control."""
    return set(record.resource) == {"*"} and not record.account and not record.tags


def _people(data: Mapping[str, Any], at: At) -> Iterable[Problem]:
    if len(data["reason"].strip()) < SHORTEST_REASON:
        yield Problem(
            "reason: too short",
            fix="say why the risk is accepted and what limits it",
            place=at("reason"),
        )
    if data["owner"].strip().casefold() == data["approver"].strip().casefold():
        yield Problem(
            "owner and approver are the same person",
            fix="somebody else must approve it",
            place=at("approver"),
        )


def _time(text: str) -> datetime | None:
    """Parses a time; a date means the end of that day."""
    try:
        if len(text) == len("2027-03-31"):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _within(source: Source, number: int | None) -> At:
    def at(*name: str) -> str:
        return source.at(*name) if number is None else source.at(number, *name)

    return at
