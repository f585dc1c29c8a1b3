"""The named functions of the rule language. Pure functions of the current resource and time. They take a path instead
of a map: passing a large map through CEL costs 115 us, a text 2."""

import hashlib
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, TypeVar

import msgspec

from driftline.pipeline.common.durations import DAY
from driftline.pipeline.rulebook import secrets
from driftline.pipeline.rulebook.aws import efs_policy, federation, grants, network, resource_policy
from driftline.pipeline.rulebook.aws.identity import judges
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import PolicyNotRead, Subject, subject
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, holds_for_any, moment, shown
from driftline.pipeline.rulebook.wording import reasons

LISTS = "prefix_lists"
LONGEST_NAME = 40
REMEMBERED = 20_000
"""Maximum number of results that each function caches."""


@dataclass
class Current:
    """The input of functions: the configuration being evaluated, its account, the record time in microseconds, its
    uid."""

    config: dict[str, Any]
    account: str
    now: int
    uid: str = ""
    memory: dict[tuple[str, ...], Any] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    """Parts that a result required and that are not in `config`: unread, or never read."""
    odd: list[str] = field(default_factory=list)
    """What functions could not evaluate, in plain words with the place."""


Answer = TypeVar("Answer")
CURRENT: ContextVar[Current] = ContextVar("current")


class Function(NamedTuple):
    call: Callable[..., Any]
    takes: tuple[str, ...]
    returns: str
    path: bool
    """Whether the first argument is a path under resource.config, or several separated by spaces."""


FORM = "is not of the form that it should have"
UNREAD = "@unread"
"""The function that replaces access to an unread part (unread.py). Rules cannot write its name."""


def not_read(part: str) -> NoReturn:
    """Raises NotRead: the result depends on an unknown part."""
    CURRENT.get().missed.append(part)
    raise NotRead(f"{part} is not read")


class NotRead(ValueError):
    """The result depends on a part that is not known."""


def guarded(function: Function) -> Callable[..., Any]:
    """Wraps a function for rules: its errors are kept in plain words, because CEL reports its own."""

    def call(*args: Any) -> Any:
        try:
            return function.call(*args)
        except NotRead:
            raise
        except Exception as error:
            place = _place(args[0]) if function.path else shown(args[0])
            CURRENT.get().odd.append(f"{place} {_words(error)}")
            raise

    return call


def _place(paths: str) -> str:
    return ", ".join(f"config.{path}" for path in paths.split())


def _words(error: Exception) -> str:
    if isinstance(error, CannotEvaluate):
        return f"cannot be judged ({str(error)[:200]})"
    if isinstance(error, KeyError):
        return f"holds something without {str(error.args[0])[:LONGEST_NAME]!r}"
    return FORM


def at_path(config: Any, path: str) -> Any:
    """Returns the value at a dotted path; None if the path ends early. Raises TypeError for a step into a value that
    is not a map."""
    for step in path.split("."):
        if config is None:
            return None
        if not isinstance(config, dict):
            raise TypeError(f"{path}: no object above {step}")
        config = config.get(step)
    return config


def _judgement(judge: Callable[..., bool], of: str = "account") -> Callable[..., bool]:
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
    _JUDGES[call] = judge, of
    return call


_JUDGES: dict[Callable[..., bool], tuple[Callable[..., bool], str]] = {}
"""What a function of the rule language asks, and what else of the resource that is told."""


def _deciding(path: str, function: str, more: str) -> list[str]:
    """Returns the statements that decide a result for the policy at a path; `more` is that function's second text, or
    empty."""
    current = CURRENT.get()
    judge, of = _JUDGES[FUNCTIONS[function].call]
    told = [getattr(current, of), *([more] if more else [])]
    document = at_path(current.config, path)
    return reasons.deciding(
        document,
        lambda one: judge(one, *told),
        apart=judge in (_any_allows_public, _any_for_anybody),
    )


def _open_ranges(path: str, ports: str) -> list[str]:
    return _group(path, lambda group, lists: network.open_ranges(group, lists, ports))


def _open_ports(path: str, ports: str) -> list[str]:
    return _group(path, lambda group, lists: network.open_ports(group, lists, ports))


def _open_rules(path: str, port: int) -> list[int]:
    return network.open_rules(at_path(CURRENT.get().config, path) or {}, port)


def _holds_secret(path: str) -> bool:
    return secrets.holds_secret(at_path(CURRENT.get().config, path))


def _plain_secrets(path: str) -> list[str]:
    return secrets.secrets(at_path(CURRENT.get().config, path), path.rpartition(".")[2])


FOLLOWS_HOLDER = re.compile(rb"arn:|username|principalarn|principaltype|tokenissuetime", re.I)
FOLLOWS_TIME = re.compile(rb"aws:(current|epoch|tokenissue)time", re.I)
Judge = Callable[[Subject, Holder], judges.Answer | None]


def _identity(judge: Judge, part: str = "") -> Callable[[str], judges.Answer | None]:
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


QUESTIONS = {
    "is_admin": _identity(judges.holds_iam),
    "escalates": _identity(judges.escalates),
    "runs_code": _identity(judges.runs_code),
    "decrypts_everything": _identity(judges.decrypts_everything),
}
"""What can be asked about an identity, by the suffix of the function's name."""


def _asks(question: str) -> "Function":
    return Function(lambda paths: QUESTIONS[question](paths) is not None, ("STRING",), "BOOL", True)


def _of_documents(judge: Judge, part: str) -> "Function":
    """Turns a function on the documents of one path, which are taken as one part."""
    call = _identity(judge, part)

    def asked(path: str) -> bool:
        return call(path) is not None

    def alone(document: Any, account: str) -> bool:
        return judge(subject({part: document}), Holder(account)) is not None

    _JUDGES[asked] = alone, "account"
    return Function(asked, ("STRING",), "BOOL", True)


def _identity_way(paths: str, question: str) -> str:
    found = QUESTIONS[question](paths)
    return found.what if found else ""


def _identity_actions(paths: str, question: str) -> list[str]:
    found = QUESTIONS[question](paths)
    return list(found.actions) if found else []


def _identity_statements(paths: str, question: str) -> list[str]:
    found = QUESTIONS[question](paths)
    return list(found.places) if found else []


def _any_allows_public(documents: dict[str, Any], account: str) -> bool:
    """Returns whether one of several policies, by name, allows everyone."""
    known = [one for one in documents.values() if one is not None]
    return holds_for_any(known, lambda one: resource_policy.allows_public(one, account))


def _any_for_anybody(documents: dict[str, Any], account: str, service: str) -> bool:
    """Returns whether one of several policies, by name, lets a service act on behalf of any account."""
    known = [one for one in documents.values() if one is not None]
    return holds_for_any(
        known, lambda one: grants.allows_service_for_anybody(one, account, service)
    )


def _is_true(path: str) -> bool:
    """True if the path holds true; false if it ends early (null, absent) or holds anything else."""
    return at_path(CURRENT.get().config, path) is True


def _age_days(text: str) -> int:
    return (CURRENT.get().now - moment(text)) // DAY


def _port_open_to_world(path: str, port: int) -> bool:
    return _group(path, lambda group, lists: network.port_open(group, lists, port))


def _any_port_open_to_world(path: str, ports: str) -> bool:
    return _group(path, lambda group, lists: network.any_open(group, lists, ports))


def _other_port_open_to_world(path: str, ports: str) -> bool:
    return _group(path, lambda group, lists: network.any_open(group, lists, ports, but=True))


def _group(path: str, judge: Callable[[dict[str, Any], Any], Answer]) -> Answer:
    """Evaluates a security group together with the prefix lists that it references, which are a part of their own."""
    config = CURRENT.get().config
    try:
        return judge(at_path(config, path) or {}, config.get(LISTS))
    except network.ListsUnread:
        if LISTS in config:
            raise
        not_read(LISTS)


def _acl_port_open_to_world(path: str, port: int) -> bool:
    return network.acl_open(at_path(CURRENT.get().config, path) or {}, port)


FUNCTIONS: dict[str, Function] = {
    "policy_allows_public": Function(
        _judgement(resource_policy.allows_public), ("STRING",), "BOOL", True
    ),
    "any_policy_allows_public": Function(_judgement(_any_allows_public), ("STRING",), "BOOL", True),
    "file_policy_allows_public": Function(
        _judgement(efs_policy.allows_public), ("STRING",), "BOOL", True
    ),
    "policy_allows_cross_account": Function(
        _judgement(resource_policy.allows_cross_account), ("STRING",), "BOOL", True
    ),
    "policy_gives_others": Function(
        _judgement(grants.gives_others), ("STRING", "STRING"), "BOOL", True
    ),
    "policy_allows_service": Function(
        _judgement(grants.allows_service), ("STRING", "STRING"), "BOOL", True
    ),
    "policy_allows_service_for_anybody": Function(
        _judgement(grants.allows_service_for_anybody), ("STRING", "STRING"), "BOOL", True
    ),
    "any_policy_allows_service_for_anybody": Function(
        _judgement(_any_for_anybody), ("STRING", "STRING"), "BOOL", True
    ),
    "policy_requires_tls": Function(
        _judgement(resource_policy.requires_tls, "uid"), ("STRING",), "BOOL", True
    ),
    "policy_is_admin": _of_documents(judges.is_admin, "document"),
    "policy_escalates": _of_documents(judges.escalates, "document"),
    "policy_decrypts_everything": _of_documents(judges.decrypts_everything, "document"),
    "policies_are_admin": _of_documents(judges.is_admin, "inline_policies"),
    "policies_escalate": _of_documents(judges.escalates, "inline_policies"),
    "policies_decrypt_everything": _of_documents(judges.decrypts_everything, "inline_policies"),
    **{f"identity_{question}": _asks(question) for question in QUESTIONS},
    "identity_way": Function(_identity_way, ("STRING", "STRING"), "STRING", True),
    "identity_actions": Function(_identity_actions, ("STRING", "STRING"), "LIST", True),
    "identity_statements": Function(_identity_statements, ("STRING", "STRING"), "LIST", True),
    "trusts_any_tenant": Function(
        _judgement(federation.trusts_any_tenant), ("STRING",), "BOOL", True
    ),
    "trusts_whole_provider": Function(
        _judgement(federation.trusts_whole_provider), ("STRING",), "BOOL", True
    ),
    "port_open_to_world": Function(_port_open_to_world, ("STRING", "INT"), "BOOL", True),
    "any_port_open_to_world": Function(_any_port_open_to_world, ("STRING", "STRING"), "BOOL", True),
    "other_port_open_to_world": Function(
        _other_port_open_to_world, ("STRING", "STRING"), "BOOL", True
    ),
    "acl_port_open_to_world": Function(_acl_port_open_to_world, ("STRING", "INT"), "BOOL", True),
    "deciding_statements": Function(_deciding, ("STRING", "STRING", "STRING"), "LIST", True),
    "open_ranges": Function(_open_ranges, ("STRING", "STRING"), "LIST", True),
    "open_ports": Function(_open_ports, ("STRING", "STRING"), "LIST", True),
    "acl_open_rules": Function(_open_rules, ("STRING", "INT"), "LIST", True),
    "holds_secret": Function(_holds_secret, ("STRING",), "BOOL", True),
    "plain_secrets": Function(_plain_secrets, ("STRING",), "LIST", True),
    "is_true": Function(_is_true, ("STRING",), "BOOL", True),
    "age_days": Function(_age_days, ("STRING",), "INT", False),
}
