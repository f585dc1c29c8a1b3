"""Matches texts with `*`, which stands for any text, as used in scopes. Pure."""


def matches(pattern: str, text: str) -> bool:
    """Returns whether the whole text matches a pattern. Each piece between two stars is searched once, after the
    previous one, so that the text is scanned once whatever the number of stars."""
    first, *pieces = pattern.split("*")
    if not pieces:
        return text == pattern
    *between, last = pieces
    if not text.startswith(first):
        return False
    at = len(first)
    for piece in between:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(text) - at >= len(last) and text.endswith(last)
