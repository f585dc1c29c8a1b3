"""Numbers with singular or plural nouns."""


def number_of(number: int, one: str, many: str = "") -> str:
    """`1 rule`, `2 rules`, `1,200 rules`. `many`: the plural, if it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
