"""Loads rules, exceptions, detections and options from the settings, for every command that evaluates."""

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
    """The built-in rules, those of the settings and of `paths`, with the overrides of the settings.

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
    """The context in which exceptions are checked. Raises UserError for invalid rules."""
    rulebook = rulebook or rulebook_and_options(settings)[0]
    return Checker(rulebook, now, timedelta(seconds=settings.exceptions.longest))


def accepted(settings: Settings, rulebook: Rulebook, paths: Sequence[Path] = ()) -> ExceptionIndex:
    """The exceptions in files of the settings and of `paths`, for commands without a stream.

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
    """The detections of `paths` and the built-in ones; errors are among its problems."""
    from driftline.pipeline.detections import load

    ours = [builtin_folder() / name for name in ("detections", "correlations")] if builtin else []
    return load([*ours, *paths], settings.detections.lists)


def watch(
    settings: Settings, paths: Sequence[Path] = (), *, builtin: bool | None = None
) -> "DetectionEngine":
    """The engine with built-in detections, those of the settings and of `paths`. `builtin` overrides the settings.

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
    """The detection engine, with the map of people from the settings."""
    from driftline.pipeline.detections.engine import DetectionEngine

    lateness = int(settings.correlate.lateness * 1_000_000)
    return DetectionEngine(found, people_of(settings.people), lateness)


@cache
def hints() -> dict[str, Hints]:
    """Comparison hints by resource type: which differences are not drift."""
    return {
        type: hints_of(shape.get("hints"), provider(shape["provider"]).canonical)
        for type, shape in builtin_shapes().items()
    }


def grants() -> dict[str, dict[str, list[str]]]:
    """The actions required to read a part, by resource type and part."""
    return {type: shape.get("actions", {}) for type, shape in builtin_shapes().items()}


def redactor(settings: Settings) -> "Redactor":
    """A redactor for results that are not stored: uses the key of the settings, or a random one for this run."""
    from driftline.collectors.redact import Redactor

    key = settings.redaction.key
    return Redactor(key.get_secret_value().encode() if key else os.urandom(32))
