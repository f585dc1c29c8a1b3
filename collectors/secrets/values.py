"""Classifies a value: a reference to a secret, a placeholder, a path, or plausibly the secret itself."""

import re

_REFERENCE = re.compile(
    r"(?i)arn:aws[\w-]*:|\{\{|[$#]\{|\$\(|\$[a-z_]|%\{|<%|%[a-z_]+%$|"
    r"(?:ssm|ssm-secure|secretsmanager|parameter-store|secrets-manager|vault|sops|kms|env|ref|file|gcp|azure|op|doppler)"
    r":{1,2}/{0,3}[\w/]|!(?:ref|sub|getatt|importvalue)\b|\$\.|alias/|states\.|sha(?:256|512):[0-9a-f]"
)
_PLACEHOLDER = re.compile(
    r"(?i)(?:[*x.•#?_-]+|<[^<>]*>|\[[^\[\]]*\]|redacted.*|hidden_due_to.*|\(?(?:none|null|nil|n/?a|undefined|empty|unset|"
    r"true|false|yes|no|enabled|disabled|required|optional|default|auto|automatic|managed|todo|tbd|fixme)\)?|"
    r"(?:please[_ -]?)?(?:change|replace|set|fill|update|insert|enter|put)[_ -]?(?:me|this|it|in|with.*|your.*|here)[\w -]*|"
    r"(?:your|my|some|the)[_ -][\w -]*(?:password|secret|token|key|value|here)[\w -]*|"
    r"(?:insert|enter)[_ -].*|placeholder.*|dummy|example|sample|noecho|masked|sensitive|secret[_ -]?(?:here|value))"
)
_PATH = re.compile(r"(?:[a-z]+://|[.~]{0,2}/)?[\w.@+-]+(?:/[\w.@+-]*)*(?::[\w.-]*){0,3}")
_FILE = re.compile(
    r"(?i)[\w.-]+\.(?:pem|key|crt|cer|json|ya?ml|txt|zip|jar|jks|p12|pfx|env|conf|ini|cfg|tf|sh|py|js)"
)
_MIXED = re.compile(r"(?=[^/]*[a-z])(?=[^/]*[A-Z])(?=[^/]*\d)[^/]{8,}")
_PLAIN_WORDS = re.compile(r"[a-z]+(?:[-_. ][a-z]+)*|[A-Z]+(?:[-_. ][A-Z]+)*|\d{1,5}|[A-Za-z]{1,5}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def reference(text: str) -> bool:
    """Returns whether it refers to a secret: an ARN, a dynamic reference, a variable, a parameter's name."""
    return bool(_REFERENCE.match(text))


def placeholder(text: str) -> bool:
    """Returns whether it is a placeholder: `<password>`, `changeme`, `xxxx`, `****`, an empty text."""
    text = text.strip()
    return not text or len(set(text)) == 1 or bool(_PLACEHOLDER.fullmatch(text))


def plausible(text: str) -> bool:
    """Under a secret's name: returns whether it may be the secret itself."""
    text = text.strip()
    return not (len(text) < 2 or placeholder(text) or reference(text) or _location(text))


def unlike_words(text: str) -> bool:
    """Under a name that may be a secret's (`CACHE_KEY`, `APP_KEY`): returns whether it is not a word, path, id or
    number."""
    if not plausible(text) or _PLAIN_WORDS.fullmatch(text) or _UUID.fullmatch(text):
        return False
    return " " not in text and ("/" not in text or bool(_MIXED.search(text)))


def _location(text: str) -> bool:
    """Returns whether it is a path, an address or a file name."""
    if _FILE.fullmatch(text):
        return True
    return (
        "/" in text and bool(_PATH.fullmatch(text)) and not any(map(_MIXED.match, text.split("/")))
    )
