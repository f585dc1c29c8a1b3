"""Errors that a user can correct: each says where, what, and what to do instead."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

ProblemKind = Literal["invalid", "unavailable", "missing", "misconfigured"]
"""Kinds of problems: invalid input; a system that does not answer; something that does not exist, or exists with other properties."""


class Problem(str):
    """One problem, in the form that people read: `place: text (fix)`.

    Its parts are fields, so that no code has to parse the line."""

    text: str
    fix: str
    """The next step; empty if there is none."""
    place: str
    """`file:line:column`, a setting, an option or a system; empty if the text contains it."""
    kind: ProblemKind
    see: str
    """A command that shows more. It is part of the line, and omitted where that command itself reports the problem."""

    def __new__(
        cls,
        text: object,
        fix: str = "",
        place: object = "",
        kind: ProblemKind = "invalid",
        see: str = "",
    ) -> "Problem":
        step = " ".join(filter(None, (fix, see and f"try: {see}")))
        where = str(place)
        line = f"{where}: {text}" if where else str(text)
        made = super().__new__(cls, f"{line} ({step})" if step else line)
        made.text, made.fix, made.place, made.kind, made.see = str(text), fix, where, kind, see
        return made

    @property
    def detail(self) -> str:
        """Place and text, without the next step."""
        return f"{self.place}: {self.text}" if self.place else self.text

    def at(self, place: object) -> "Problem":
        """The same problem at another place."""
        return Problem(self.text, self.fix, place, self.kind, self.see)

    def under(self, place: object) -> "Problem":
        """The same problem, with a place before its own."""
        return self.at(f"{place}: {self.place}" if self.place else place)

    def __reduce__(self) -> tuple[Any, ...]:
        return Problem, (self.text, self.fix, self.place, self.kind, self.see)


class InvalidValue(ValueError):
    """A value that a validator rejects, with what to write instead."""

    def __init__(self, text: str, fix: str = "") -> None:
        self.problem = Problem(text, fix)
        super().__init__(self.problem)


class UserError(Exception):
    """One or more user errors. The command prints every line and exits with 2.

    Accepts problems, or the fields of one. Plain lines become problems without further fields."""

    kind: ClassVar[ProblemKind] = "invalid"

    def __init__(self, *problems: object, fix: str = "", place: object = "", see: str = "") -> None:
        self.problems: tuple[Problem, ...] = tuple(
            one if isinstance(one, Problem) else Problem(one, fix, place, self.kind, see)
            for one in problems
        )
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.problems


class NotThere(UserError):
    """Another system does not answer: a wrong address, or an outage."""

    kind = "unavailable"


class Undelivered(OSError):
    """Kafka did not accept a record: it does not answer, or rejects it."""


class Malformed(Exception):
    """A record that no version can process: it is dead-lettered with this reason."""


class RestartWanted(Exception):
    """The process must be restarted by its supervisor (exit 75); nothing is lost."""


def exclusive(given: Mapping[str, object]) -> None:
    """Raises UserError if more than one of these options is given."""
    said = [name for name, value in given.items() if value]
    if len(said) > 1:
        raise UserError(f"{' and '.join(said)} exclude each other", fix="leave one of them out")


@contextmanager
def patient() -> Iterator[None]:
    """For commands that keep running: turns an unavailable system into a request for a restart."""
    try:
        yield
    except NotThere as why:
        raise RestartWanted(str(why)) from None
