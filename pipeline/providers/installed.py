"""The providers that are installed: our own and those of other packages, by entry points. Pure once they are loaded."""

from collections.abc import Iterator
from functools import cache

from driftline.pipeline.common import plugins
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.model.base import PROVIDERS
from driftline.pipeline.providers.provider import AuditLog, Provider


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


def of_product(product: str) -> Provider | None:
    """The provider whose audit events are of a product in Sigma's words; None if there is none."""
    return next((one for one in providers() if one.audit.product == product), None)


def providers() -> Iterator[Provider]:
    """All that are installed."""
    return map(provider, names())
