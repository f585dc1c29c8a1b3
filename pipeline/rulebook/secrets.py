"""Secrets in plain text: the marks that redaction leaves say where, and of which kind (`kind`). Pure.

A mark is {redacted, hash, key_id, kind}, or as text `redacted:KEY_ID:HASH:KIND`; `kind` is the id of a form, `named`,
or `assigned:NAME`. A mark without a kind is left where everything is redacted, and does not indicate a secret."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

_TEXT = re.compile(r"redacted:[0-9a-f]{8}:[0-9a-f]{32}:([a-z0-9-]{1,40}(?::[\w.-]{1,60})?)")
LABELS = (
    "Name", "name", "Key", "key", "ParameterKey", "parameterKey", "OutputKey", "OptionName", "optionName", "HeaderName",
)  # fmt: skip
HOLDERS = frozenset({
    "Value", "value", "ParameterValue", "parameterValue", "OutputValue", "HeaderValue", "stringValue", "Default", "default",
})  # fmt: skip
MOST_DEEP = 64
_ACRONYMS = {word: word.upper() for word in ("aws", "url", "api", "sas", "dsn", "json")}


def secrets(value: Any, name: str = "") -> list[str]:
    """Returns the secrets in a configuration, each once: its name, and its form if known."""
    return list(dict.fromkeys(_said(where, kind) for where, kind in _found(value, name, 0)))


def holds_secret(value: Any) -> bool:
    """Returns whether there is one."""
    return next(_found(value, "", 0), None) is not None


def _found(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > MOST_DEEP:
        return
    if isinstance(value, str):
        if value.startswith("redacted:") and (mark := _TEXT.fullmatch(value)):
            yield name, mark[1]
        elif value[:1] in ("{", "[") and "redacted" in value:
            yield from _found(_parsed(value), name, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _found(item, name, depth + 1)
    elif isinstance(value, dict):
        if value.get("redacted") is True:
            if isinstance(kind := value.get("kind"), str):
                yield name, kind
            return
        label = next((str(value[key]) for key in LABELS if isinstance(value.get(key), str)), None)
        for key, item in value.items():
            yield from _found(item, _named(key, label, name), depth + 1)


def _named(key: str, label: str | None, above: str) -> str:
    """Returns the name of a field's value."""
    if key in HOLDERS:
        return label or above or key
    return key


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _said(name: str, kind: str) -> str:
    form, _, own = kind.partition(":")
    if form == "assigned":
        return f"{own} in {name}" if name and own and own != name else own or name
    if form == "named":
        return name
    words = " ".join(_ACRONYMS.get(word, word) for word in form.split("-"))
    return f"{words} in {name}" if name else words
