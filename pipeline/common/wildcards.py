"""Texts with `*`, which stands for any text, as people write them in scopes. Pure."""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of a text fits a pattern. Each piece between two stars is looked for once, behind the one
    before: however many stars, the text is gone through once."""
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
