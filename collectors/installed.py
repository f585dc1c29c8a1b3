"""The collectors that are installed: our own and those of other packages, by entry points."""

from collections.abc import Mapping
from functools import cache
from typing import cast

from driftline.collectors.collector import NEEDED, CollectorModule
from driftline.collectors.rows.row import TypeRow
from driftline.pipeline.common import plugins
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.yaml_source import hint

GROUP = "driftline.collectors"
OWN = "driftline.collectors."
"""What the names of our own modules begin with."""


def providers() -> list[str]:
    """The names of the providers that have a collector."""
    return sorted(plugins.installed(GROUP))


@cache
def module(provider: str) -> CollectorModule:
    """The collector of a provider. Raises UserError for an unknown one, and for a module that is no collector's."""
    if provider not in providers():
        raise UserError("no such collector", fix=hint(provider, providers()), place=provider)
    found = plugins.load(GROUP, provider)
    lacking = [name for name in NEEDED if not hasattr(found, name)]
    if lacking:
        raise UserError(
            f"{provider} is not a collector's module: it lacks {', '.join(lacking)}",
            fix="see CONTRIBUTING.md",
            place=GROUP,
        )
    if found.provider != provider:
        raise UserError(
            f"the entry point {provider} names the collector of {found.provider}",
            fix="give both one name",
            place=GROUP,
        )
    return cast(CollectorModule, found)


def modules() -> list[CollectorModule]:
    """Every installed collector, by provider."""
    return [module(name) for name in providers()]


def own() -> list[CollectorModule]:
    """Those that come with Driftline: docs/ and deploy/ are generated from them."""
    group = plugins.installed(GROUP)
    return [module(name) for name in providers() if group[name].value.startswith(OWN)]


def kinds(provider: str) -> Mapping[str, TypeRow]:
    """The rows of a provider by type. Raises UserError with every mistake in its tables."""
    return module(provider).kinds()


def reader_of(type: str) -> CollectorModule | None:
    """The collector that reads a type; None where none does."""
    return next((one for one in modules() if type in one.kinds()), None)


@cache
def row_of(type: str) -> TypeRow | None:
    """The row of a type, whichever provider has it; None where no collector reads it."""
    reader = reader_of(type)
    return reader.kinds()[type] if reader else None
