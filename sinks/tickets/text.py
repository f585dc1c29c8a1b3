"""Our part of a text that people may edit, too: what stands between the markers is ours, all else is theirs. Pure."""

BEGIN, END = "--- Driftline: updated automatically, do not edit ---", "--- end of Driftline ---"


def marked(text: str) -> str:
    """Our text with its markers."""
    return f"{BEGIN}\n{text}\n{END}"


def merged(current: str, ours: str) -> str:
    """A text with our part replaced. Without markers ours is added at the end: a person has removed or replaced it."""
    begin, end = current.find(BEGIN), current.find(END)
    if begin < 0 or end < begin:
        return f"{current.rstrip()}\n\n{marked(ours)}" if current.strip() else marked(ours)
    return current[:begin] + marked(ours) + current[end + len(END) :]


def part(current: str) -> str | None:
    """Our part; None where it is not there."""
    begin, end = current.find(BEGIN), current.find(END)
    return None if begin < 0 or end < begin else current[begin + len(BEGIN) : end].strip("\n")


def harmless(text: str) -> str:
    """A text of ours without markers, control characters and bidirectional overrides."""
    text = text.replace(BEGIN, "").replace(END, "")
    return "".join(c for c in text if c in "\n\t" or (c >= " " and c not in _HIDDEN))


_HIDDEN = frozenset(
    "\x7f\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
