"""Secrets by their name: what a field, a tag, a variable or an option is called."""

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
"""Hidden always, but no secret only because of the name."""
_ABOUT = re.compile(
    r"(?:(?<=[a-z0-9])(?:Id|Arn|ARN|Name|Date|Time|Age|Length|Policy|Status|State|Enabled|Required|Used|Type|Version|"
    r"Source|Mode|Count|Stage|Region|Present|Header|Algorithm)|"
    r"[_-](?i:id|arn|name|date|time|age|length|policy|status|state|enabled|required|used|type|version|source|mode|"
    r"count|stage|region|present|header|algorithm))s?$"
)
"""Names of what is only about a secret: PasswordLastUsed, SecretArn, password_policy."""
_PAGES = re.compile(
    r"(?:next|page|pagination|continuation|starting|paging|nextpage|nextforward|nextbackward|"
    r"request|client|clientrequest|idempotency)[_-]?(?:request)?[_-]?token",
    re.IGNORECASE,
)  # fmt: skip
"""Tokens of pages and of requests that may be repeated."""
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
    """What a name says of its value."""

    NOTHING = 0
    ABOUT = 1
    """Its value is only about a secret: `PasswordLastUsed`."""
    PERHAPS = 2
    """It is a secret where the value looks like one: `STRIPE_KEY`."""
    INSIDE = 3
    """It stands in a map under the name of what may hold secrets."""
    WITHIN = 4
    """It stands in a map under a secret's name."""
    HIDDEN = 5
    """It may hold secrets and is always replaced: user data."""
    SECRET = 6


@lru_cache(65_536)
def named(name: str) -> NameVerdict:
    """What a name says of a text under it."""
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
    """Whether a text is a plain number, or a time or share: `3600`, `15m`. Environments hold numbers as text."""
    return bool(_MEASURE.fullmatch(text))


@lru_cache(65_536)
def counts(name: str) -> bool:
    """Whether a number under a secret's name only measures: `PasswordReusePrevention`, `max_tokens`."""
    return bool(_MEASURES.search(name))
