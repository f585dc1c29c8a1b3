"""The sinks of a deployment: what the settings name, and of what kind it is."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks import installed
from driftline.sinks.module import (
    Checks,
    Explains,
    Installs,
    SinkContext,
    SinkModule,
    SinkSettings,
)

T = TypeVar("T")


@dataclass(frozen=True)
class ConfiguredSink:
    """One sink of the deployment."""

    name: str
    module: SinkModule
    settings: SinkSettings
    context: SinkContext

    async def check(self) -> str | None:
        """What differs at the destination, with the next step; None where nothing does, or nobody can say."""
        if isinstance(self.module, Checks):
            return await self.module.check(self.settings, self.context)
        return None

    async def install(self, tell: Callable[[str], None]) -> None:
        """Prepares the destination, where it can be."""
        if isinstance(self.module, Installs):
            await self.module.install(self.settings, self.context, tell)

    def explained(self, error: Exception) -> UserError | None:
        """What to tell the user about an error of the destination's client; None for any other."""
        if isinstance(self.module, Explains):
            return self.module.explained(error, self.settings)
        return None

    def asked(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a question to the destination. Raises UserError where its client fails."""
        try:
            return asyncio.run(coroutine)
        except Exception as error:
            told = self.explained(error)
            if told is None:
                raise
            raise told from None


def configured(settings: Settings) -> list[ConfiguredSink]:
    """Every sink that the settings name, in their order."""
    return list(_blocks(settings, written=True))


def defaults(settings: Settings) -> list[ConfiguredSink]:
    """The kinds that have a block of settings of their own, written or not."""
    return list(_blocks(settings, written=False))


def configured_sink(settings: Settings, name: str) -> ConfiguredSink:
    """A sink by its name: one of the settings, or a kind with its defaults. Raises UserError."""
    every = {one.name: one for one in (*defaults(settings), *configured(settings))}
    if name in every:
        return every[name]
    kind = installed.module(name)
    if kind is None:
        known = sorted({*every, *installed.kinds()})
        raise UserError("no such sink", fix=hint(name, known), place=name)
    return _sink(settings, name, kind, kind.Settings())


def _blocks(settings: Settings, *, written: bool) -> Iterator[ConfiguredSink]:
    """Blocks named after a kind: the sink of that name and kind."""
    for name in type(settings).model_fields:
        block = getattr(settings, name)
        if isinstance(block, SinkSettings) and (not written or name in settings.model_fields_set):
            kind = installed.module(name)
            if kind is not None:
                yield _sink(settings, name, kind, block)


def _sink(settings: Settings, name: str, module: SinkModule, own: SinkSettings) -> ConfiguredSink:
    context = SinkContext(name, settings.kafka, settings.sink.bad_share)
    return ConfiguredSink(name, module, own, context)
