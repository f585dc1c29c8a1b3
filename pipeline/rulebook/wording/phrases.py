"""Formats values for a sentence: one short line in which no foreign text can do harm. Pure."""

import math
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from driftline.pipeline.providers.installed import provider

LONGEST = 300
"""Maximum length of a sentence in characters."""
HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A name in a template."""
REDACTED = "(redacted)"
_LIMITS = ((80, 3), (56, 3), (40, 2), (28, 2), (20, 1))
"""Characters per value and elements per list, reduced step by step until the sentence fits."""
_DONE = re.compile(r"redacted:[0-9a-f]{8}:[0-9a-f]{32}")
_LOOSE = re.compile(r"[^\w.:/@*+=,~#%-]")
"""Characters that require a name to be quoted."""
_MARKUP = str.maketrans({"<": "\u2039", ">": "\u203a", "`": "'", '"': "'", "\\": "/"})


@lru_cache(4096)
def clean(text: str) -> str:
    """Returns the text on one line: unprintable and control characters (line feeds, bidi) become `�`, characters that
    could be taken for markup are replaced by similar ones, redacted values by a word."""
    text = text[: LONGEST * 2]
    if "redacted:" in text:
        text = _DONE.sub(REDACTED, text)
    if not (text.isascii() and text.isprintable()):
        text = "".join(_printed(char) for char in unicodedata.normalize("NFC", text))
    return " ".join(text.translate(_MARKUP).replace("](", "] (").split())


def _printed(char: str) -> str:
    if char.isprintable():
        return "" if unicodedata.category(char) == "Me" else char
    return " " if char in "\t\n\r" or unicodedata.category(char) == "Zs" else "\ufffd"


def quote(text: str) -> str:
    """Returns a name for a sentence: in quotes if it could be taken for a part of it."""
    text = clean(text) or "unnamed"
    return f'"{text}"' if _LOOSE.search(text) else text


def format_list(value: Any, width: int = _LIMITS[0][0], items: int = _LIMITS[0][1]) -> str | None:
    """Formats a value: lists are cut and counted, long texts lose their middle. None for empty values (null, an empty
    text or list) and for maps."""
    if isinstance(value, list | tuple):
        return _listed(value, width, items)
    if isinstance(value, str):
        return _short(clean(value), width) or None
    if isinstance(value, dict):
        return REDACTED if value.get("redacted") is True else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, timedelta):
        return f"{value.days} days"
    return None


def _number(value: float) -> str | None:
    if not math.isfinite(value):
        return None
    return str(int(value)) if value == int(value) and abs(value) < 1e18 else f"{value:g}"


def _short(text: str, width: int) -> str:
    """Shortens a text; the beginning and the end are kept."""
    if len(text) <= width:
        return text
    tail = width // 3
    return f"{text[: width - tail - 1]}…{text[len(text) - tail :]}"


def _listed(values: Sequence[Any], width: int, items: int) -> str | None:
    """Returns `a, b and 12 more`; each value only once."""
    words: dict[str, None] = {}
    for value in values:
        if (word := format_list(value, width, items)) is None:
            return None
        words[word] = None
    every = list(words)
    if not every:
        return None
    if len(every) > items:
        shown = every[: max(1, items - 1)]
        return f"{', '.join(shown)} and {len(every) - len(shown)} more"
    return " and ".join([", ".join(every[:-1]), every[-1]]) if len(every) > 1 else every[0]


def fill(template: str, values: Mapping[str, Any], whole: Collection[str] = ()) -> str | None:
    """Fills the template, with at most LONGEST characters; the values of `whole` are not shortened. None if a name
    has no value."""
    text = ""
    for width, items in _LIMITS:
        words = {
            name: format_list(values.get(name), LONGEST if name in whole else width, items)
            for name in HOLE.findall(template)
        }
        if None in words.values():
            return None
        # in one pass: values are not templates
        text = HOLE.sub(lambda hole: words[hole[1]] or "", template)  # noqa: B023 - used at once
        if len(text) <= LONGEST:
            return text
    return text[: LONGEST - 1] + "…"


def standard(resource: Mapping[str, Any]) -> dict[str, str]:
    """Returns the standard names of every sentence: resource, name, id, region, account, type."""
    uid, last = str(resource["uid"]), provider(resource["provider"]).names.last
    id, name = last(uid), last(str(resource.get("name") or ""))
    tag = (resource.get("tags") or {}).get("Name")
    if name == id and isinstance(tag, str):
        name = tag
    whole = quote(name or id)
    if name and name not in re.split(r"[:/]", uid) and not id.startswith(name):
        whole = f"{quote(id)} ({quote(name)})"
    account, called = str(resource["account"]), (resource.get("cloud_account") or {}).get("name")
    return {
        "resource": whole, "name": quote(name or id), "id": quote(id), "region": quote(str(resource["region"])),
        "account": f"{quote(str(called))} ({quote(account)})" if called else quote(account),
        "type": quote(str(resource["type"])),
    }  # fmt: skip


STANDARD = ("resource", "name", "id", "region", "account", "type")
