"""Parses times given on the command line."""

import re
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.settings.base import Seconds

_seconds: TypeAdapter[float] = TypeAdapter(Seconds)


def in_order(first: datetime | None, last: datetime | None) -> None:
    """Raises UserError if --from is not before --to."""
    if first and last and first >= last:
        raise UserError("--from must be before --to", fix="swap them")


def moment(option: str, text: str | None, now: datetime) -> datetime | None:
    """Parses a time (RFC 3339; UTC if it has no zone) or a duration before `now`; None for None. Raises UserError."""
    if text is None:
        return None
    try:
        if re.match(r"\d{4}-", text):
            found = datetime.fromisoformat(text)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        return now - timedelta(seconds=_seconds.validate_python(text))
    except (ValueError, OverflowError, ValidationError):
        raise UserError(
            "expected a duration or a time",
            fix="write for example 2h, or 2026-01-31T08:00:00Z",
            place=f"{option} {text}",
        ) from None


def ahead(option: str, text: str, now: datetime) -> datetime:
    """The time after a duration from `now`. Raises UserError if it is not a duration, or zero."""
    try:
        seconds = _seconds.validate_python(text)
        found = now + timedelta(seconds=seconds)
    except (ValueError, OverflowError, ValidationError):
        raise UserError(
            "expected a duration", fix="write for example 12h, or 30d", place=f"{option} {text}"
        ) from None
    if seconds <= 0:
        raise UserError(
            "must be longer than zero",
            fix="write for example 12h, or 30d",
            place=f"{option} {text}",
        )
    return found
