"""The header Retry-After (RFC 9110): seconds, or a date. Pure."""

from email.utils import parsedate_to_datetime


def seconds_of(header: str | None, now: float) -> float | None:
    """How long to wait; None if the header is missing or invalid. `now`: Unix time."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
