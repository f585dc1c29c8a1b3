"""AWS's answers as JSON can hold them."""

import base64
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from driftline.pipeline.model import rfc3339
from driftline.pipeline.records import codec

_ESCAPED = re.compile(r'\s*\{(?:\s|\\[nrt])*\\"')


def plain(value: Any) -> Any:
    """An answer with times as RFC 3339 and bytes as base64, without its metadata."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return float(value) if isinstance(value, Decimal) else value


def decoded(value: Any) -> Any:
    """The document that AWS sends as text. Raises Malformed for what is not one.

    API Gateway escapes a policy once more, as inside of a JSON string: `{\\"Version\\": …`."""
    if not isinstance(value, str) or not value:
        return value
    text = value.encode(errors="surrogatepass")
    return (
        codec.decode(codec.decode(b'"%s"' % text).encode())
        if _ESCAPED.match(value)
        else codec.decode(text)
    )


def tags_of(tags: Any) -> dict[str, str]:
    """Tags as a map, from a map or from [{Key, Value}]."""
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag.get("Value") or "") for tag in tags or []}
