"""The configured sinks of a deployment."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.rulebook.match import Match
from driftline.pipeline.settings.blocks import Settings, load_settings
from driftline.pipeline.settings.sinks import SinkRun
from driftline.sinks import installed
from driftline.sinks.module import (
    Checks,
    Creates,
    Explains,
    Installs,
    SinkContext,
    SinkModule,
    SinkSettings,
)
from driftline.sinks.subscription import Subscription

if TYPE_CHECKING:
    from driftline.sinks.base import Sink

T = TypeVar("T")


@dataclass(frozen=True)
class ConfiguredSink:
    """A sink of the deployment."""

    name: str
    module: SinkModule
    settings: SinkSettings
    context: SinkContext
    subscription: Subscription
    run: SinkRun
    """How it runs: the block `sink`, with the overrides of its entry."""

    def created(self) -> "Sink":
        """The sink, not yet connected. Raises UserError where the settings cannot work, or its kind keeps tickets."""
        if not isinstance(self.module, Creates):
            raise UserError("this kind of sink keeps tickets", place=self.name)
        return self.module.create(self.settings, self.context)

    async def check(self) -> str | None:
        """The difference at the destination, with the next step; None if there is none, or it cannot be determined."""
        if isinstance(self.module, Checks):
            return await self.module.check(self.settings, self.context)
        return None

    async def install(self, tell: Callable[[str], None]) -> None:
        """Prepares the destination, if supported."""
        if isinstance(self.module, Installs):
            await self.module.install(self.settings, self.context, tell)

    def explained(self, error: Exception) -> UserError | None:
        """The user-facing error for an error of the destination's client; None for any other."""
        if isinstance(self.module, Explains):
            return self.module.explained(error, self.settings, self.context)
        return None

    def asked(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a query at the destination. Raises UserError if its client fails."""
        try:
            return asyncio.run(coroutine)
        except Exception as error:
            told = self.explained(error)
            if told is None:
                raise
            raise told from None


def configured(settings: Settings) -> list[ConfiguredSink]:
    """All sinks of the settings, in order."""
    return [*_blocks(settings, written=True), *_entries(settings)]


def defaults(settings: Settings) -> list[ConfiguredSink]:
    """The kinds with their own settings block, present or not."""
    return list(_blocks(settings, written=False))


def configured_sink(settings: Settings, name: str) -> ConfiguredSink:
    """A sink by name: one of the settings, or a kind with default settings. Raises UserError."""
    every = {one.name: one for one in (*defaults(settings), *configured(settings))}
    if name in every:
        return every[name]
    kind = installed.module(name)
    if kind is None:
        known = sorted({*every, *installed.kinds()})
        raise UserError("no such sink", fix=hint(name, known), place=name)
    try:
        own = kind.Settings()
    except ValidationError:
        raise UserError(
            "this kind of sink has no defaults", fix="write an entry of it under sinks", place=name
        ) from None
    return _sink(settings, Subscription(name), kind, own)


def kind_of(name: str) -> SinkModule | None:
    """The module of a kind, or of a sink in the settings; None if there is neither. Raises UserError."""
    if (module := installed.module(name)) is not None:
        return module
    return next((one.module for one in configured(load_settings()) if one.name == name), None)


def _blocks(settings: Settings, *, written: bool) -> Iterator[ConfiguredSink]:
    """Blocks named after a kind: the sink of that name and kind."""
    for name in type(settings).model_fields:
        block = getattr(settings, name)
        if isinstance(block, SinkSettings) and (not written or name in settings.model_fields_set):
            kind = installed.module(name)
            if kind is not None:
                yield _sink(settings, Subscription(name), kind, block)


def _entries(settings: Settings) -> Iterator[ConfiguredSink]:
    for entry in settings.sinks:
        module = installed.module(entry.kind)
        if module is not None:  # otherwise the settings would not have loaded
            match = Match(entry.match) if entry.match else None
            to = Subscription(entry.name, match, entry.start, tuple(entry.severities))
            yield _sink(settings, to, module, entry, entry.sink)


def _sink(
    settings: Settings, to: Subscription, module: SinkModule, own: SinkSettings, run: SinkRun | None = None
) -> ConfiguredSink:  # fmt: skip
    runs = settings.sink.but(run)
    context = SinkContext(to.name, settings.kafka, runs.bad_share, to.given)
    return ConfiguredSink(to.name, module, own, context, to, runs)
