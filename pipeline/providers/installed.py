"""The providers that are installed: our own and those of other packages, by entry points. Pure once they are loaded."""

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
    """The facts of a provider; of one that is not installed, the defaults. Raises UserError for an entry point that names
    no provider."""
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
    """What a provider's identities look like; without a name, those of all: of an actor whose provider is not said."""
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
    """How configurations of a provider are compared of which no row says more; without a name, those of any provider."""
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
    """What a provider's events tell detections beside; None if nothing. Raises UserError for what cannot be loaded."""
    named = provider(name).audit.fields
    if not named:
        return None
    try:
        found = resolve_name(named)
    except Exception as why:  # whatever a foreign module does when it is imported
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
    """What calls may be made with, at any provider."""
    return frozenset([*TOOLS, *(tool for one in providers() for tool in one.tools)])


@cache
def vouched_tools(name: str) -> frozenset[str]:
    """The tools that a provider itself reports; without a name, those that any does."""
    if name:
        return frozenset(provider(name).vouched_tools)
    return frozenset(tool for one in providers() for tool in one.vouched_tools)


@cache
def longest_session() -> int:
    """How long a session is remembered of which it is not known whose it is, in microseconds."""
    return max(one.sessions.lifetime for one in providers())


def of_product(product: str) -> Provider | None:
    """The provider whose audit events are of a product in Sigma's words; None if there is none."""
    return next((one for one in providers() if one.audit.product == product), None)


def providers() -> Iterator[Provider]:
    """All that are installed."""
    return map(provider, names())
