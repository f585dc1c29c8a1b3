"""Secrets within a text: assignments (`DB_PASSWORD=…`, `password: …`), pairs of name and value, command options, and
base64-encoded text."""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from driftline.collectors.secrets.forms import LETTERS, SHORTEST, compile_, form, union
from driftline.collectors.secrets.names import NameVerdict, counts, measure, named
from driftline.collectors.secrets.values import placeholder, plausible, reference, unlike_words

MOST_UNPACKED = 1 << 20
SHORTEST_VALUE = 4
SHORT = 160
LONGEST_COMMAND = 8192
"""Maximum length of a command that is examined as one line, in characters."""
_HINT = (
    r"(?i)(?:pass|pwd|pw|secret|token|key|cred|jwt|bearer|connection[_-]?string|authorization)"
    r"[\w.-]*[\\\"']*\s*(?:\]?\s*[=:]|,\s*[\\\"']*value|\n\s*-?\s*[\\\"']*value)|"
    r"(?:(?-i:\bENV)[ \t]|\b(?i:setx)[ \t]|\b(?i:define)\()"
)
_NAME = r"[\w.-]*(?:pass|pwd|pw|secret|token|key|cred|jwt|bearer|string|authorization)[\w.-]*"
_ASSIGNED = compile_(
    rf"(?i)({_NAME})[\\\"']*\]?\s*(?::=|=>|[=:])[ \t]*[\\\"']*([^\s;,&\"'\\{{\[(][^\s;,&\"'\\]*)([ \t]+[a-z])?"
)
_PAIRED = compile_(
    rf"(?i)(?:name|key)[\\\"']*\s*[=:]\s*[\\\"']*({_NAME})[\\\"']*\s*,?\s*-?\s*[\\\"']*(?:string)?value[\\\"']*\s*[=:]"
    r"\s*[\\\"']*([^\s,\"'\\}]+)()"
)
_DEFAULT = compile_(
    rf"(?i)({_NAME})[\"']?:[ \t]*\r?\n(?:[ \t]+\w+:[^\n]*\n){{0,8}}?[ \t]+default(?:value)?:[ \t]*[\"']?([^\s\"']+)()"
)
"""A parameter of a YAML template."""
_SET = compile_(
    rf"(?i)(?:(?-i:\bENV)[ \t]+|\bsetx[ \t]+|\bdefine\([ \t]*)[\\\"']*({_NAME})[\\\"']*(?:[ \t]+|[ \t]*,[ \t]*)[\\\"']*"
    r"([^\s;,&\"'\\{\[(=:)][^\s;,&\"'\\()]*)(\(?)"
)
"""Statements that assign a value to a name: `ENV DB_PASSWORD x`, `define('DB_PASSWORD', 'x')`."""
_OPTION = re.compile(
    r"--?(?:[\w.]+-)*(?:passw(?:or)?d|passphrase|pwd|secret|secret-?key|token|api-?key|access-?key|private-?key|credentials?)",
    re.IGNORECASE,
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{24,}={0,2}\s*")
_SHOWN = re.compile(r"[\w.-]{1,60}")


@cache
def _hint() -> Any:
    return compile_(_HINT)


@cache
def _quick() -> Any:
    return compile_(f"{union()}|(?:{_HINT})")


class SecretMatch(NamedTuple):
    """A secret found in a text."""

    why: str
    """A form's id; `assigned:NAME` for a value assigned to a secret's name in the text."""
    real: bool = True
    """False for a placeholder."""


def seen(text: str, *, deep: bool = True) -> SecretMatch | None:
    """Returns the first secret in a text. `deep`: also inside base64."""
    if len(text) < SHORTEST or (len(text) < LETTERS and text.isalpha()):
        return None
    return _again(text) if deep and len(text) <= SHORT else _seen(text, deep=deep)


@lru_cache(50_000)
def _again(text: str) -> SecretMatch | None:
    """regions, ARNs and user agents occur in most events"""
    return _seen(text, deep=True)


def _seen(text: str, *, deep: bool) -> SecretMatch | None:
    data = text.encode(errors="replace")
    found = None
    if _quick().search(data) is not None:
        found = form(data)
        if found and found[1]:
            return SecretMatch(*found)
        for name, real in _assigned(data):
            one = SecretMatch(f"assigned:{name}" if _SHOWN.fullmatch(name) else "assigned", real)
            if real:
                return one
            found = found or one
    if deep and (inner := decoded(data)) is not None and (below := seen(inner, deep=False)):
        return below
    return SecretMatch(*found) if found else None


def hinted(text: str) -> bool:
    """Returns whether a text contains a name that may be a secret's."""
    return len(text) >= SHORTEST and _hint().search(text.encode(errors="replace")) is not None


def option(text: str) -> bool:
    """Returns whether it is an option whose value, the next element of a command, is a secret."""
    return text.startswith("-") and bool(_OPTION.fullmatch(text))


def in_command(words: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """Returns the indices of words that are secrets only because of the words before them (`curl`, `-u`, `a:secret`),
    and why."""
    whole = " ".join(word for word in words if isinstance(word, str))
    if len(whole) > LONGEST_COMMAND or form(whole.encode(errors="replace")) is None:
        return
    line = ""
    for place, word in enumerate(words):
        if not isinstance(word, str):
            line = ""
            continue
        before, line = line, f"{line} {word}" if line else word
        if (before and option(words[place - 1])) or form(word.encode(errors="replace")):
            line = f"{before} x"  # found without the words before it
        elif before and len(word) > 1:
            found = form(line.encode(errors="replace"))
            if found is not None and found[1]:
                yield place, found[0]
                line = f"{before} x"


def decoded(data: bytes) -> str | None:
    """Returns the text inside base64, possibly gzipped; None if there is none."""
    if len(data) < 24 or not _BASE64.fullmatch(data):
        return None
    try:
        raw = base64.b64decode(b"".join(data.split()), validate=True)
        if raw[:2] == b"\x1f\x8b":
            raw = zlib.decompressobj(31).decompress(raw, MOST_UNPACKED)
        text = raw.decode()
    except (binascii.Error, zlib.error, ValueError):
        return None
    return text if all(c.isprintable() or c in "\r\n\t" for c in text[:200]) else None


def _assigned(data: bytes) -> Iterator[tuple[str, bool]]:
    """Yields names to which a text assigns a secret, and whether the value may be the real one."""
    for pattern in (_ASSIGNED, _PAIRED, _DEFAULT, _SET):
        for match in pattern.finditer(data):
            name = match.group(1).decode(errors="replace").lstrip("-")
            value = match.group(2).decode(errors="replace").rstrip("})]")
            said = named(name)
            prose = match.group(3) and value.isalpha() and b"=" not in match.group(0)
            if len(value) < SHORTEST_VALUE or prose or (counts(name) and measure(value)):
                continue
            if said is NameVerdict.SECRET and not (reference(value) or placeholder(value)):
                yield name, plausible(value)
            elif said is NameVerdict.PERHAPS and unlike_words(value):
                yield name, True
