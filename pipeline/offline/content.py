"""What every shell that judges needs of the settings: a rulebook and the assessing options."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.pipeline.assess.decisions.exception_index import ExceptionIndex
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.wording.consoles import rows
from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.yaml_source import YAML, require_files
from driftline.pipeline.compare.diff import Hints, hints_of
from driftline.pipeline.providers.installed import provider
from driftline.pipeline.rulebook import Rulebook, builtin_folder, load
from driftline.pipeline.rulebook.match import Match
from driftline.pipeline.rulebook.shapes import builtin_shapes
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.settings.exception_files import Checker
from driftline.pipeline.settings.owner_files import owners_of
from driftline.pipeline.settings.people_files import people_of

if TYPE_CHECKING:
    from driftline.collectors.redact import Redactor
    from driftline.pipeline.detections import DetectionSet
    from driftline.pipeline.detections.engine import DetectionEngine


def rulebook_and_options(
    settings: Settings, paths: Sequence[Path] = ()
) -> tuple[Rulebook, AssessOptions]:
    """The built-in rules, the settings' and `paths`', with the settings' overrides.

    Raises UserError with every mistake in them."""
    require_files(paths, YAML[:1], "rule", "--rules")
    rules = settings.rules
    rulebook = load([*rules.paths, *paths], rules.overrides, builtin=rules.builtin)
    return rulebook, AssessOptions(
        criticality=settings.criticality, hints=hints(), grants=grants(), consoles=rows(),
        expected=settings.drift.expected,
        forget=int(settings.worker.forget_after * 1_000_000),
        people=people_of(settings.people), owners=owners_of(settings.owners),
        tickets=ticket_options(settings),
    )  # fmt: skip


def ticket_options(settings: Settings) -> TicketOptions | None:
    """How findings and alerts become tickets; None where they do not."""
    own = settings.tickets
    if not own.enabled:
        return None
    return TicketOptions(
        group_by=tuple(own.group_by),
        match=Match(own.match) if own.match else None,
        topics=frozenset(own.topics),
        settle=int(own.settle * 1_000_000),
        close_after=int(own.close_after * 1_000_000),
        reopen_within=int(own.reopen_within * 1_000_000),
    )


def checker(settings: Settings, now: datetime, rulebook: Rulebook | None = None) -> Checker:
    """What exceptions are checked against. Raises UserError for rules with mistakes."""
    rulebook = rulebook or rulebook_and_options(settings)[0]
    return Checker(rulebook, now, timedelta(seconds=settings.exceptions.longest))


def accepted(settings: Settings, rulebook: Rulebook, paths: Sequence[Path] = ()) -> ExceptionIndex:
    """The risks that files accept: the settings' and `paths`'. Of a shell without a stream, where nobody applies them.

    Raises UserError with every mistake in them."""
    require_files(paths, YAML, "exception", "--exceptions")
    own = settings.exceptions
    if not (own.paths or paths):
        return ExceptionIndex()
    found = checker(settings, datetime.now(UTC), rulebook).folders([*own.paths, *paths])
    if found.problems:
        raise UserError(*found.problems)
    return ExceptionIndex(found.records)


def detections(settings: Settings, paths: Sequence[Path], *, builtin: bool) -> "DetectionSet":
    """The detections of `paths`, and those that come with Driftline; mistakes are among its problems."""
    from driftline.pipeline.detections import load

    ours = [builtin_folder() / name for name in ("detections", "correlations")] if builtin else []
    return load([*ours, *paths], settings.detections.lists)


def watch(
    settings: Settings, paths: Sequence[Path] = (), *, builtin: bool | None = None
) -> "DetectionEngine":
    """The detections that come with Driftline, the settings' and `paths`', at work. `builtin`: instead of what the
    settings say.

    Raises UserError with every mistake in them."""
    require_files(paths, YAML, "detection", "--detections")
    own = settings.detections
    found = detections(
        settings, [*own.paths, *paths], builtin=own.builtin if builtin is None else builtin
    )
    if found.problems:
        raise UserError(*found.problems)
    return at_work(settings, found)


def at_work(settings: Settings, found: "DetectionSet") -> "DetectionEngine":
    """Detections at work, with the names that the settings say are one person's."""
    from driftline.pipeline.detections.engine import DetectionEngine

    lateness = int(settings.correlate.lateness * 1_000_000)
    return DetectionEngine(found, people_of(settings.people), lateness)


@cache
def hints() -> dict[str, Hints]:
    """By resource type: what is no drift."""
    return {
        type: hints_of(shape.get("hints"), provider(shape["provider"]).canonical)
        for type, shape in builtin_shapes().items()
    }


def grants() -> dict[str, dict[str, list[str]]]:
    """By resource type and part: the actions that reading it needs."""
    return {type: shape.get("actions", {}) for type, shape in builtin_shapes().items()}


def redactor(settings: Settings) -> "Redactor":
    """For what is judged here and stored nowhere: with the settings' key, or one of this run alone."""
    from driftline.collectors.redact import Redactor

    key = settings.redaction.key
    return Redactor(key.get_secret_value().encode() if key else os.urandom(32))
