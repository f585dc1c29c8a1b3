"""`driftline doctor`: runs checks in parallel, each with a time-out and a next step.

The checks themselves are in driftline.pipeline.tasks.doctor, and in the modules of sinks and collectors."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from driftline.pipeline.common.errors import Problem, UserError

State = Literal["ok", "warn", "fail", "unknown"]
STATES: tuple[State, ...] = ("ok", "unknown", "warn", "fail")
"""From best to worst."""
NAMED = 4
"""Maximum number of checks named in one line."""
T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """One result. Texts may contain server output: escape them before printing to a terminal."""

    what: str
    state: State
    detail: str
    next: str = ""
    alike: tuple[str, str] | None = None
    """Returns detail and next step for several lines of this kind together; None: their own, if all are the same."""


@dataclass(frozen=True)
class Check:
    """A check. Lines that it yields before the time-out are used."""

    what: str
    ask: Callable[[], Iterable[Line]]
    needs: str | None = None
    """Another check that must succeed before this one can run."""
    silent: str = ""
    """The next step if the check times out."""


class _Job(threading.Thread):
    """A running check. A daemon thread, so that a check that hangs does not prevent the command from ending."""

    def __init__(self, check: Check, needs: "_Job | None", seconds: float) -> None:
        super().__init__(daemon=True, name=check.what)
        self.check, self.needs, self.seconds = check, needs, seconds
        self.lines: list[Line] = []

    @property
    def sound(self) -> bool:
        return not self.is_alive() and all(x.state in ("ok", "warn") for x in self.lines)

    def run(self) -> None:
        what = self.check.what
        if self.needs is not None:
            self.needs.join(self.seconds)
            if not self.needs.sound:
                needed = self.needs.check.what
                self.lines.append(Line(what, "unknown", f"not checked: needs {needed}", f"fix {needed} first"))  # fmt: skip
                return
        try:
            for line in self.check.ask():
                self.lines.append(line)
        except UserError as error:
            self.lines += [failed(what, problem) for problem in error.problems]
        except Exception as error:  # report it: one check must not hide the others
            told = f"{type(error).__name__}: {error}"
            self.lines.append(Line(what, "unknown", told, self.check.silent or "please report it"))

    def told(self, until: float) -> list[Line]:
        self.join(max(0.0, until - time.monotonic()))
        lines = list(self.lines)
        if self.is_alive():
            silent = f"no answer within {self.seconds:g} s"
            lines.append(Line(self.check.what, "unknown", silent, self.check.silent))
        return lines


def examine(checks: Sequence[Check], seconds: float) -> list[Line]:
    """All results, in the order of the checks. Each takes at most `seconds`, or twice that if it needs
    another check."""
    began = time.monotonic()
    jobs: dict[str, _Job] = {}
    for check in checks:
        jobs[check.what] = _Job(check, jobs.get(check.needs or ""), seconds)
        jobs[check.what].start()
    out: list[Line] = []
    for job in jobs.values():
        out += job.told(began + seconds * (2 if job.needs else 1))
    return out


def folded(lines: Iterable[Line]) -> list[Line]:
    """Merges lines of several checks with the same result into one, at the position of the first."""
    groups: dict[tuple[State, tuple[str, str]], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.state, line.alike or (line.detail, line.next)), []).append(line)
    out = []
    for (state, said), alike in groups.items():
        if len(alike) == 1:
            out += alike
            continue
        more = f" and {len(alike) - NAMED} more" if len(alike) > NAMED else ""
        out.append(Line(", ".join(x.what for x in alike[:NAMED]) + more, state, *said))
    return out


def worst(lines: Iterable[Line]) -> State:
    """The worst state of all lines."""
    return max((line.state for line in lines), key=STATES.index, default="ok")


def exit_code(lines: Iterable[Line]) -> int:
    """0: everything is fine; 1: there are warnings, or a check could not run; 2: something fails."""
    return {"ok": 0, "warn": 1, "unknown": 1, "fail": 2}[worst(lines)]


def failed(what: str, problem: Problem, state: State = "fail") -> Line:
    """A problem as a result line, without its `see`, which names this command."""
    return Line(what, state, problem.detail, problem.fix)


@dataclass
class _Answers:
    errors: dict[int, Exception | None] = field(default_factory=dict)
    all_there: threading.Event = field(default_factory=threading.Event)


def side_by_side(
    many: Iterable[T], ask: Callable[[T], Any], seconds: float, at_once: int = 8
) -> list[tuple[T, Exception | None]]:
    """Calls the function for each item; returns its error, or None. A TimeoutError if there was no answer in time."""
    asked = list(many)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(asked)):
        waiting.put(number)
    got = _Answers()

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            error: Exception | None = None
            try:
                ask(asked[number])
            except Exception as why:  # returned to the caller
                error = why
            got.errors[number] = error
            if len(got.errors) == len(asked):
                got.all_there.set()

    if asked:
        for _ in range(min(at_once, len(asked))):
            threading.Thread(target=work, daemon=True).start()
        got.all_there.wait(seconds)
    late = TimeoutError("no answer in time")
    return [(one, got.errors.get(number, late)) for number, one in enumerate(asked)]


def named(checks: Iterable[Check], settings_problems: Iterable[Problem]) -> Iterator[Line]:
    """Lines for invalid settings: their errors, and the remaining checks as not checked."""
    yield from (failed("settings", problem) for problem in settings_problems)
    for check in checks:
        yield Line(check.what, "unknown", "not checked: the settings cannot be read", "fix the settings first")  # fmt: skip
