"""Generates docs/settings.md from the fields and docstrings of the settings."""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from driftline.pipeline.common import durations
from driftline.pipeline.reference import code, page, table
from driftline.pipeline.settings.base import is_duration
from driftline.pipeline.settings.blocks import settings_model
from driftline.pipeline.settings.severities import SeverityOverride
from driftline.pipeline.settings.sinks import SinkEntry

WORDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", SecretStr: "secret"}  # fmt: skip

NEEDED = "needed"


class Setting(NamedTuple):
    """One setting, as it is written."""

    name: str
    type: str
    default: str
    meaning: str

    @property
    def variable(self) -> str:
        return "DRIFTLINE_" + self.name.upper().replace(".", "__")


def settings() -> list[Setting]:
    """Every setting, in the order of the file."""
    return list(_walk(settings_model(), ""))


def pages() -> Iterator[tuple[str, str]]:
    """The page."""
    blocks: dict[str, list[Setting]] = {}
    for one in settings():
        blocks.setdefault(one.name.partition(".")[0], []).append(one)
    texts = []
    for name, some in blocks.items():
        rows = [[*_row(one), code(one.variable)] for one in some]
        rows += [[*_row(one), ""] for one in (_entry() if name == "sinks" else ())]
        texts.append(f"## {name}\n\n" + table(["setting", "type", "default", "meaning", "environment"], rows))  # fmt: skip
    intro = (
        "Settings are read from one file: `driftline.yaml` in the working directory, or the file given by `--config` or `DRIFTLINE_CONFIG`. "
        "A name with dots is a block and its field (`kafka.replication` is `replication` under `kafka:`). Environment variables "
        "override the file; write lists and maps there in YAML flow style (`[a, b]`). Prefer files for secrets (`…_file`). "
        "`driftline config check` reports every error with its location, `driftline config show` prints the settings in effect. "
        "These environment variables are not settings: `DRIFTLINE_CONFIG`, `DRIFTLINE_DEBUG=1` (print a stack trace on "
        "internal errors), `DRIFTLINE_CACHE` (where the demo keeps its downloads)."
    )
    yield "docs/settings.md", page("Settings", "pipeline/settings/blocks.py", intro, *texts)


def _row(one: Setting) -> list[str]:
    default = one.default if one.default == NEEDED else code(one.default)
    return [code(one.name), one.type, default, one.meaning]


def _entry() -> Iterator[Setting]:
    """What every entry of `sinks` has."""
    yield from _walk(SinkEntry, "sinks[].")
    yield from _walk(SeverityOverride, "sinks[].severities[].")


def _walk(block: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for name, field in block.model_fields.items():
        inner = _block_in(field.annotation)
        if inner is not None:
            yield from _walk(inner, f"{prefix}{name}.")
            continue
        yield Setting(prefix + name, _type(field), _default(field), _meaning(name, field, block))


def _meaning(name: str, field: FieldInfo, block: type[BaseModel]) -> str:
    secret = name.removesuffix("_file")
    if field.description is None and secret != name and secret in block.model_fields:
        return f"The file that holds `{secret}`."
    return field.description or ""


def _block_in(annotation: Any) -> type[BaseModel] | None:
    for one in (annotation, *(get_args(annotation) if _is_union(annotation) else ())):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _type(field: FieldInfo) -> str:
    return "duration" if is_duration(field) else _named(field.annotation)


def _named(annotation: Any) -> str:
    if _is_union(annotation):
        return _named(next(a for a in get_args(annotation) if a is not type(None)))
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(code(str(arg)) for arg in args)
    if origin is list and get_origin(args[0]) is Annotated:
        args = get_args(args[0])[:1]
    if origin is list and isinstance(args[0], type) and issubclass(args[0], BaseModel):
        return f"list of maps: {', '.join(args[0].model_fields)}"
    if origin is list:
        return f"list of {_named(args[0])}s"
    if origin is dict:
        return "map"
    if origin is not None and args:  # Annotated
        return _named(args[0])
    return WORDS.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return NEEDED
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if is_duration(field):
        return durations.written(value)
    if isinstance(value, dict):
        return "; ".join(f"{tag}: {', '.join(f'{k} {v}' for k, v in m.items())}" for tag, m in value.items())  # fmt: skip
    return str(value).lower() if isinstance(value, bool) else str(value)
