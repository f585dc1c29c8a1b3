"""Errors that a person can mend: each says where, what, and what to write or do instead."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


class UserError(Exception):
    """One or more mistakes of the caller. The command prints every line and exits with 2."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems

    @classmethod
    def of(cls, problems: Iterable[str]) -> "UserError":
        return cls(*problems)


class NotThere(UserError):
    """Another system does not answer. Perhaps the caller's mistake, perhaps only for now."""


class Undelivered(OSError):
    """Kafka has not taken what was written: it does not answer, or refuses it."""


class Malformed(Exception):
    """A record that no version of us can process: it goes to the dead letters with this reason."""


class RestartWanted(Exception):
    """The process must be started again by its supervisor (exit 75); nothing is lost."""


def exclusive(given: Mapping[str, object]) -> None:
    """Of these options, by their names, at most one is given. Raises UserError where more are."""
    said = [name for name, value in given.items() if value]
    if len(said) > 1:
        raise UserError(f"{' and '.join(said)} exclude each other (leave one of them out)")


@contextmanager
def patient() -> Iterator[None]:
    """Of a command that runs on: what does not answer now may answer soon, so it asks to be started again."""
    try:
        yield
    except NotThere as why:
        raise RestartWanted(str(why)) from None
