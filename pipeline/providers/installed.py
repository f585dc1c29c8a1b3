"""The installed providers: built-in ones and those of other packages, found by entry points. Pure once loaded."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pkgutil import resolve_name
from typing import Any, TypeVar

from driftline.pipeline.common import plugins
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.compare.diff import Canonical, Hints
from driftline.pipeline.model.base import PROVIDERS
from driftline.pipeline.model.stream import TOOLS
from driftline.pipeline.providers.provider import AuditLog, EventFields, Identities, Provider

T = TypeVar("T")
R = TypeVar("R")


def names() -> list[str]:
    """Their names, sorted."""
    return list(plugins.installed(PROVIDERS))


@cache
def provider(name: str) -> Provider:
    """The facts of a provider; the defaults if it is not installed. Raises UserError for an invalid entry
    point."""
    if name not in plugins.installed(PROVIDERS):
        return Provider(name, name, AuditLog(name, ""))
    found = plugins.load(PROVIDERS, name)
    if not isinstance(found, Provider):
        raise UserError(
            f"{name} is of the type {type(found).__name__}, not a Provider",
            fix="see CONTRIBUTING.md",
            place=PROVIDERS,
        )
    if found.name != name:
        raise UserError(
            f"the entry point {name} names the provider {found.name}",
            fix="give both one name",
            place=PROVIDERS,
        )
    return found


@cache
def identities(name: str) -> Identities:
    """The forms of a provider's identities; without a name, those of all providers, for an actor of unknown provider."""
    if name:
        return provider(name).identities
    every = [one.identities for one in providers()]
    return Identities(
        chosen=tuple(pattern for one in every for pattern in one.chosen),
        actor_kinds={kind: of for one in every for kind, of in one.actor_kinds.items()},
        derive=_first([one.derive for one in every]),
        derive_link=_first([one.derive_link for one in every]),
        differ=lambda a, b: any(one.differ(a, b) for one in every),
    )


def _first(functions: Sequence[Callable[[T], R | None]]) -> Callable[[T], R | None]:
    def call(value: T) -> R | None:
        return next((found for f in functions if (found := f(value)) is not None), None)

    return call


@cache
def plain_hints(name: str) -> Hints:
    """The default comparison hints of a provider's configurations; without a name, those common to all."""
    if name:
        return Hints(canonical=provider(name).canonical)
    every = [one.canonical for one in providers()]

    def policy(value: Any) -> Any:
        for one in every:
            value = one.policy(value)
        return value

    return Hints(canonical=Canonical(policy, _first([one.element for one in every])))


@cache
def event_fields(name: str) -> EventFields | None:
    """The additional event fields of a provider for detections; None if it has none. Raises UserError if they cannot be loaded."""
    named = provider(name).audit.fields
    if not named:
        return None
    try:
        found = resolve_name(named)
    except Exception as why:  # the module's own code runs on import and may raise anything
        raise UserError(
            f"the event fields of {name} cannot be loaded: {why}",
            fix="correct or uninstall the package",
            place=named,
        ) from why
    if not isinstance(found, EventFields):
        raise UserError(
            f"{named} is of the type {type(found).__name__}, not EventFields",
            fix="see CONTRIBUTING.md",
            place=PROVIDERS,
        )
    return found


@cache
def known_tools() -> frozenset[str]:
    """The tools of all providers."""
    return frozenset([*TOOLS, *(tool for one in providers() for tool in one.tools)])


@cache
def vouched_tools(name: str) -> frozenset[str]:
    """The tools confirmed by a provider; without a name, by any."""
    if name:
        return frozenset(provider(name).vouched_tools)
    return frozenset(tool for one in providers() for tool in one.vouched_tools)


@cache
def longest_session() -> int:
    """How long a session of unknown provider is remembered, in microseconds."""
    return max(one.sessions.lifetime for one in providers())


def of_product(product: str) -> Provider | None:
    """The provider for a Sigma product; None if there is none."""
    return next((one for one in providers() if one.audit.product == product), None)


def providers() -> Iterator[Provider]:
    """All installed providers."""
    return map(provider, names())
