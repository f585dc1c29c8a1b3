"""Normalizes owner ids written by people and in tags. Pure."""

import re
import unicodedata
from functools import lru_cache

LONGEST = 256
"""Maximum length of an id, that of a tag value."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SEPARATORS = str.maketrans(dict.fromkeys(" _.:/", "-"))
_REDACTED = "redacted:"
"""Prefix of redacted values (driftline.collectors.redact)."""


@lru_cache(8192)
def owner_id(text: str) -> str:
    """Returns the id: on one line without control characters, e-mail addresses in lower case, other names as they are.
    Empty if the text names nobody: it is empty, redacted, or longer than an id may be (cut, it could be another's)."""
    if len(text) > 4 * LONGEST or text.startswith(_REDACTED):
        return ""
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_printed, unicodedata.normalize("NFC", text)))
    text = " ".join(text.split())
    if len(text) > LONGEST:
        return ""
    return text.lower() if _EMAIL.fullmatch(text) else text


def _printed(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char in "\t\n\r" or unicodedata.category(char) == "Zs" else ""


@lru_cache(8192)
def same_key(key: str) -> str:
    """Returns the form in which keys of tags are compared: clouds allow different letters (labels of some are
    lower case and have no colons), so case and separators make no difference."""
    return key.strip().casefold().translate(_SEPARATORS)
