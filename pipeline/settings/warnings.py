"""Warns about insecure settings: secrets that others can read, in files or in transit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from driftline.pipeline.common.yaml_source import YAML, is_empty
from driftline.pipeline.settings.base import SinkSettings, on_loopback, secrets_of
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.settings.reader import Read, secrets_in


def warnings(found: Read[Settings]) -> Iterator[str]:
    """One line per warning, with its location."""
    settings, file = found.settings, found.source.path
    files = [*_secret_files(settings)]
    if secrets_in(found.source.data, Settings) or _secret_entries(found):
        files.append((str(file), file))
    for place, path in files:
        if path.exists() and path.stat().st_mode & 0o007:
            yield f"{place}: this file contains a secret and other users can read it (run: chmod o= on it)"
    for block in ("rules", "detections", "exceptions"):
        for number, path in enumerate(getattr(settings, block).paths):
            if is_empty(path, YAML):
                yield f"{found.place(block, 'paths', number)}: {block}.paths.{number}: {path} contains no file (*.yaml)"
    for number, one in enumerate(settings.drift.expected):
        if one.tags and not one.actors and not one.tools:
            yield f"{found.place('drift', 'expected', number)}: drift.expected.{number}: anyone who may tag a resource can make its changes expected (list actors in addition to tags)"
    kafka = settings.kafka
    brokers = [one.strip().rpartition(":")[0] for one in kafka.bootstrap_servers.split(",")]
    if kafka.security_protocol == "SASL_PLAINTEXT" and not all(map(on_loopback, brokers)):
        yield f"{found.place('kafka', 'security_protocol')}: kafka.security_protocol: credentials are sent unencrypted (use SASL_SSL)"
    for name, url, secret in [
        *(
            (f"{name}.{field}", url, True)
            for name, block in _sinks(settings)
            for field, url in block.secret_addresses()
        ),
        ("kafka.oauth.token_url", kafka.oauth and kafka.oauth.token_url, kafka.oauth),
    ]:
        parts = urlsplit(url or "")
        if secret and parts.scheme == "http" and not on_loopback(parts.hostname):
            yield f"{found.place(*name.split('.'))}: {name}: secrets are sent unencrypted (use https://)"


def _secret_entries(found: Read[Settings]) -> bool:
    """Whether an entry of `sinks` contains a secret."""
    data = found.source.data if isinstance(found.source.data, dict) else {}
    names = {name for entry in found.settings.sinks for name in secrets_of(type(entry))}
    written = data.get("sinks")
    return isinstance(written, list) and any(
        isinstance(one, dict) and names & set(one) for one in written
    )


def hints(found: Read[Settings]) -> Iterator[str]:
    """One line per setting that has a newer form, with its location: sinks defined as blocks."""
    data = found.source.data if isinstance(found.source.data, dict) else {}
    for name in type(found.settings).model_fields:
        if name in data and isinstance(getattr(found.settings, name), SinkSettings):
            yield f"{found.place(name)}: {name}: this block defines the sink named {name}; it can also be written in the list sinks, together with others of its kind (- name: {name}, kind: {name}, and the same settings)"


def _sinks(settings: Settings) -> Iterator[tuple[str, SinkSettings]]:
    """Every block of a sink, by its name."""
    for name in type(settings).model_fields:
        if isinstance(block := getattr(settings, name), SinkSettings):
            yield name, block
    for number, entry in enumerate(settings.sinks):
        yield f"sinks.{number}", entry


def _secret_files(block: BaseModel, where: str = "") -> Iterator[tuple[str, Path]]:
    """Every file that contains a secret, with the name of its setting."""
    names = {f"{name}_file" for name in secrets_of(type(block))} | {"key_file"}
    for name in type(block).model_fields:
        value: Any = getattr(block, name)
        if isinstance(value, BaseModel):
            yield from _secret_files(value, f"{where}{name}.")
        elif isinstance(value, list):
            for number, one in enumerate(value):
                if isinstance(one, BaseModel):
                    yield from _secret_files(one, f"{where}{name}.{number}.")
        elif name in names and value is not None:
            yield f"{where}{name}", value
