"""The blocks of the installed collectors: each is its module's own."""

from collections.abc import Mapping
from importlib import import_module

from driftline.pipeline.settings.base import CollectorSettings


def collector_blocks() -> Mapping[str, type[CollectorSettings]]:
    """Provider to the class of its block. Raises UserError for a package that is no collector."""
    installed = import_module("driftline.collectors.installed")  # by name: collectors read settings
    return {name: installed.module(name).Settings for name in installed.providers()}
