"""Numbers with what they count, as people write them."""


def number_of(number: int, one: str, many: str = "") -> str:
    """`1 rule`, `2 rules`, `1,200 rules`; `many` where the plural is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
