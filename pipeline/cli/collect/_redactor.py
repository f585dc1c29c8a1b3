"""The redactor of collectors, which requires a key."""

from typing import TYPE_CHECKING

from driftline.pipeline.common.errors import UserError

if TYPE_CHECKING:
    from driftline.collectors.redact import Redactor
    from driftline.pipeline.settings.blocks import Settings


def redactor_of(settings: "Settings") -> "Redactor":
    """Raises UserError if the key is missing or too short."""
    from driftline.collectors.redact import Redactor

    key = settings.redaction.key
    if key is None or len(key.get_secret_value()) < 16:
        raise UserError(
            f"{'missing' if key is None else 'shorter than 16 characters'}; what looks like a "
            "secret could not be hashed",
            fix="write one: openssl rand -hex 32 > redaction.key, and set redaction.key_file or "
            "DRIFTLINE_REDACTION__KEY",
            place="redaction.key",
        )
    return Redactor(key.get_secret_value().encode())
