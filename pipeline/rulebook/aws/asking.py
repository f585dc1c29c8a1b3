"""Turns judgements of documents into functions of a path under resource.config, with their results cached. Pure."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from driftline.pipeline.rulebook.aws.identity import judges
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import PolicyNotRead, Subject, subject
from driftline.pipeline.rulebook.cel.functions import CURRENT, Current, at_path, not_read

REMEMBERED = 20_000
"""Maximum number of results that each function caches."""


def judgement(judge: Callable[..., bool], of: str = "account") -> Callable[..., bool]:
    """Turns a function on documents into a function of a path and an optional text. `of` selects what else of the
    resource is passed."""

    def call(path: str, *more: str) -> bool:
        current = CURRENT.get()
        key = (judge.__module__, judge.__name__, path, *more)
        if key not in current.memory:
            document = at_path(current.config, path)
            current.memory[key] = document is not None and remembered(document, path, current, more)
        return bool(current.memory[key])

    def remembered(document: Any, path: str, current: Current, more: tuple[str, ...]) -> bool:
        """cached: most readings change something other than the policy, and many resources share one"""
        digest = current.memory.get(("digest", path))
        if digest is None:
            digest = hashlib.blake2b(msgspec.json.encode(document), digest_size=16).digest()
            current.memory["digest", path] = digest
        other = getattr(current, of)
        key = (digest, other, *more)
        if key not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            known[key] = judge(document, other, *more)
        return known[key]

    known: dict[tuple[Any, ...], bool] = {}
    JUDGES[call] = judge, of
    return call


JUDGES: dict[Callable[..., bool], tuple[Callable[..., bool], str]] = {}
"""What a function of the rule language asks, and what else of the resource that is told."""


FOLLOWS_HOLDER = re.compile(rb"arn:|username|principalarn|principaltype|tokenissuetime", re.I)
FOLLOWS_TIME = re.compile(rb"aws:(current|epoch|tokenissue)time", re.I)
Judge = Callable[[Subject, Holder], judges.Answer | None]


def of_identity(judge: Judge, part: str = "") -> Callable[[str], judges.Answer | None]:
    """Turns a function on an identity into a function of the names of its parts; `part` is the default for a single
    path."""

    def call(paths: str) -> judges.Answer | None:
        current = CURRENT.get()
        key = (judge.__module__, judge.__name__, paths, part)
        if key not in current.memory:
            try:
                current.memory[key] = remembered(paths, current)
            except PolicyNotRead as why:
                not_read(why.part)
        found: judges.Answer | None = current.memory[key]
        return found

    def remembered(paths: str, current: Current) -> judges.Answer | None:
        """cached: many identities have the same policies"""
        named = [part] if part else paths.split()
        parts = {
            name: at_path(current.config, path)
            for name, path in zip(named, paths.split(), strict=True)
            if path.split(".")[0] in current.config
        }
        text = msgspec.json.encode(parts)
        holder = Holder(
            current.account,
            current.uid if FOLLOWS_HOLDER.search(text) else "",
            current.now if FOLLOWS_TIME.search(text) else 0,
        )
        key = (hashlib.blake2b(text, digest_size=16).digest(), paths, holder)
        if key not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            found = subject(parts, holder.kind, named)
            known[key] = judge(found, holder._replace(others=found.others))
        return known[key]

    known: dict[tuple[bytes, str, Holder], judges.Answer | None] = {}
    return call
