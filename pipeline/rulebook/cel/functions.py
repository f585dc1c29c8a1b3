"""The named functions of the rule language: those of every rule, and those that a provider adds for rules about its own
types. Pure functions of the current resource and time. They take a path instead of a map: passing a large map through
CEL costs 115 us, a text 2."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pkgutil import resolve_name
from typing import Any, NamedTuple, NoReturn

from driftline.pipeline.common.durations import DAY
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.providers.installed import names, providers
from driftline.pipeline.providers.installed import provider as facts
from driftline.pipeline.rulebook import secrets
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, moment, shown

LONGEST_NAME = 40


@dataclass
class Current:
    """The input of functions: the configuration being evaluated, its account, the record time in microseconds, its
    uid."""

    config: dict[str, Any]
    account: str
    now: int
    uid: str = ""
    memory: dict[tuple[str, ...], Any] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    """Parts that a result required and that are not in `config`: unread, or never read."""
    odd: list[str] = field(default_factory=list)
    """What functions could not evaluate, in plain words with the place."""


CURRENT: ContextVar[Current] = ContextVar("current")


class Function(NamedTuple):
    call: Callable[..., Any]
    takes: tuple[str, ...]
    returns: str
    path: bool
    """Whether the first argument is a path under resource.config, or several separated by spaces."""
    example: str
    """Example arguments."""
    says: str
    """Its result, for the documentation."""


FORM = "is not of the form that it should have"
UNREAD = "@unread"
"""The function that replaces access to an unread part (unread.py). Rules cannot write its name."""


def not_read(part: str) -> NoReturn:
    """Raises NotRead: the result depends on an unknown part."""
    CURRENT.get().missed.append(part)
    raise NotRead(f"{part} is not read")


class NotRead(ValueError):
    """The result depends on a part that is not known."""


def guarded(function: Function) -> Callable[..., Any]:
    """Wraps a function for rules: its errors are kept in plain words, because CEL reports its own."""

    def call(*args: Any) -> Any:
        try:
            return function.call(*args)
        except NotRead:
            raise
        except Exception as error:
            place = _place(args[0]) if function.path else shown(args[0])
            CURRENT.get().odd.append(f"{place} {_words(error)}")
            raise

    return call


def _place(paths: str) -> str:
    return ", ".join(f"config.{path}" for path in paths.split())


def _words(error: Exception) -> str:
    if isinstance(error, CannotEvaluate):
        return f"cannot be judged ({str(error)[:200]})"
    if isinstance(error, KeyError):
        return f"holds something without {str(error.args[0])[:LONGEST_NAME]!r}"
    return FORM


def at_path(config: Any, path: str) -> Any:
    """Returns the value at a dotted path; None if the path ends early. Raises TypeError for a step into a value that
    is not a map."""
    for step in path.split("."):
        if config is None:
            return None
        if not isinstance(config, dict):
            raise TypeError(f"{path}: no object above {step}")
        config = config.get(step)
    return config


def _holds_secret(path: str) -> bool:
    return secrets.holds_secret(at_path(CURRENT.get().config, path))


def _plain_secrets(path: str) -> list[str]:
    return secrets.secrets(at_path(CURRENT.get().config, path), path.rpartition(".")[2])


def _is_true(path: str) -> bool:
    """True if the path holds true; false if it ends early (null, absent) or holds anything else."""
    return at_path(CURRENT.get().config, path) is True


def _age_days(text: str) -> int:
    return (CURRENT.get().now - moment(text)) // DAY


GENERAL: dict[str, Function] = {
    "holds_secret": Function(
        _holds_secret, ("STRING",), "BOOL", True, "'function.Environment'",
        "Whether the value contains a secret in plain text, as recognized by redaction from its name or format; references, placeholders and values redacted only because of their location do not count",
    ),
    "plain_secrets": Function(
        _plain_secrets, ("STRING",), "LIST", True, "'function.Environment'",
        "Those secrets, by their names and formats",
    ),
    "is_true": Function(
        _is_true, ("STRING",), "BOOL", True, "'part.Field'",
        "Whether the value at the path is true; false if the path does not exist or has another value",
    ),
    "age_days": Function(
        _age_days, ("STRING",), "INT", False, "resource.config.part.CreateDate",
        "Whole days from a time (string) to the record's time",
    ),
}  # fmt: skip
"""Of every rule."""


@cache
def own_functions(provider: str) -> Mapping[str, Function]:
    """A provider's additional functions, by name. Raises UserError if they cannot be loaded, are invalid, or hide a
    general function."""
    named = facts(provider).functions
    if not named:
        return {}
    try:
        found = resolve_name(named)
    except Exception as why:  # the module's own code runs on import and may raise anything
        raise UserError(
            f"the functions of {provider} cannot be loaded: {why}",
            fix="correct or uninstall the package",
            place=named,
        ) from why
    wrong = [
        name for name, one in found.items() if not isinstance(one, Function) or name in GENERAL
    ]
    if wrong:
        raise UserError(
            f"{wrong[0]} of {provider} is not a Function, or has the name of a general one",
            fix="correct or uninstall the package",
            place=named,
        )
    return dict(found)


@cache
def functions_of(provider: str | None) -> Mapping[str, Function]:
    """The functions that a rule on a provider's types may call. None: of all providers, if the rule's provider
    is not known."""
    every = names() if provider is None else [provider]
    return {**{k: f for one in reversed(every) for k, f in own_functions(one).items()}, **GENERAL}


def owners(function: str) -> list[str]:
    """The titles of the providers that have a function that not every rule has."""
    return [one.title for one in providers() if function in own_functions(one.name)]
