"""Secrets by name: the name of a field, tag, variable or option."""

import re
from enum import IntEnum
from functools import lru_cache

from driftline.collectors.secrets.words import words

WORDS = (
    r"passw(?:or)?d|passphrase|passcode|secret(?!s?[_-]?manager|ar(?:y|iat))|api[_-]?key|access[_-]?key|account[_-]?key|shared[_-]?key|"
    r"private[_-]?key|connection[_-]?string"
)
_NAMED = re.compile(
    WORDS + r"|(?:^|[_.-])(?:pwd|pass|token|pw|creds?|jwt|bearer)(?:$|[_-])|(?:token|pwd|creds?|credentials?|authorization)$|"
    r"[a-z](?:pw|pwd|(?<!com)(?<!by)(?<!tres)(?<!over)(?<!under)(?<!sur)pass|creds?|jwt)$",
    re.IGNORECASE,
)  # fmt: skip
_CONTAINERS = re.compile(
    r"user[_-]?data|credentials?$|authorization$|connection[_-]?string|^encrypted|ciphertext",
    re.IGNORECASE,
)
"""Always hidden, but not a secret merely because of the name."""
_ABOUT = re.compile(
    r"(?:(?<=[a-z0-9])(?:Id|Arn|ARN|Name|Date|Time|Age|Length|Policy|Status|State|Enabled|Required|Used|Type|Version|"
    r"Source|Mode|Count|Stage|Region|Present|Header|Algorithm)|"
    r"[_-](?i:id|arn|name|date|time|age|length|policy|status|state|enabled|required|used|type|version|source|mode|"
    r"count|stage|region|present|header|algorithm))s?$"
)
"""Names that only describe a secret: PasswordLastUsed, SecretArn, password_policy."""
_PAGES = re.compile(
    r"(?:next|page|pagination|continuation|starting|paging|nextpage|nextforward|nextbackward|"
    r"request|client|clientrequest|idempotency)[_-]?(?:request)?[_-]?token",
    re.IGNORECASE,
)  # fmt: skip
"""Tokens of pages and of idempotent requests."""
_MEASURES = re.compile(
    r"(?:age|length|ttl|days?|hours?|minutes?|seconds?|secs?|ms|validity|units?|limit|count|size|bits|max|min|timeout|interval|"
    r"expir\w*|prevention|quota|version|index|number|num|port|retries|attempts|period|rotation|usage|tokens|priority|"
    r"length|users?|keys|secrets|passwords|enabled|present|required|policy|budget|per\w*)$",
    re.IGNORECASE,
)  # fmt: skip
_KEY = re.compile(
    r"(?:^|.*[_.-])(?P<snake>[a-z0-9]+)[_-]keys?(?:[_-]?\d+|[_-]base64|[_-]b64|[_-]hex)?|"
    r".*?(?P<camel>encryption|signing|auth|master|secret|deploy|webhook|service|function|host|admin|subscription|storage|consumer|"
    r"hmac|aes|crypto|session|jwt|token|cipher|license|app|application|client|rsa|ssl|tls|stripe|sendgrid)keys?",
    re.IGNORECASE,
)  # fmt: skip
_HARMLESS_KEYS = words("harmless_keys")


class NameVerdict(IntEnum):
    """What a name implies for its value."""

    NOTHING = 0
    ABOUT = 1
    """The value only describes a secret: `PasswordLastUsed`."""
    PERHAPS = 2
    """The value is a secret if it looks like one: `STRIPE_KEY`."""
    INSIDE = 3
    """It is in a map whose name may stand for secrets."""
    WITHIN = 4
    """It is in a map whose name stands for a secret."""
    HIDDEN = 5
    """It may contain secrets and is always replaced: user data."""
    SECRET = 6


@lru_cache(65_536)
def named(name: str) -> NameVerdict:
    """Returns what a name implies for the text under it."""
    hidden = _CONTAINERS.search(name)
    if hidden or _NAMED.search(name):
        if _ABOUT.search(name) or _PAGES.fullmatch(name):
            return NameVerdict.ABOUT
        return NameVerdict.HIDDEN if hidden else NameVerdict.SECRET
    if _ABOUT.search(name):
        return NameVerdict.ABOUT
    key = _KEY.fullmatch(name)
    if key and (key["camel"] or key["snake"].lower() not in _HARMLESS_KEYS):
        return NameVerdict.PERHAPS
    return NameVerdict.NOTHING


_MEASURE = re.compile(
    r"\d{1,9}(?:\.\d{1,3})? ?(?:[smhd]|ms|secs?|mins?|hours?|days?|%)?", re.IGNORECASE
)


def measure(text: str) -> bool:
    """Returns whether a text is a plain number, duration or share: `3600`, `15m`. Environments hold numbers as text."""
    return bool(_MEASURE.fullmatch(text))


@lru_cache(65_536)
def counts(name: str) -> bool:
    """Returns whether a number under a secret's name is only a measure: `PasswordReusePrevention`, `max_tokens`."""
    return bool(_MEASURES.search(name))
