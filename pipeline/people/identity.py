"""Who is behind a call: one identity of a person through users, roles, sessions, directories and accounts. Pure.

What a provider vouches for is known: an IAM user, the root user, the user of a directory, the subject of an identity
provider, a service, and the origin of a chain of sessions. What only the caller says (a source identity, the name of a
role's session) is a claim: shown, and never an identity."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

UNKNOWN, WORKLOAD, SERVICE = "unknown", "workload", "service"
CHOSEN = re.compile(
    r"^(arn:[a-z-]+:sts::\d*:(?:assumed-role/[^/]+|federated-user)/|(?:AROA[0-9A-Z]+|\d{12}):).+$"
)
"""A session by its ARN, or by its unique id (all that another account is told): what follows the role the caller has chosen."""
OWN_KINDS = {
    "user": "user",
    "root": "root",
    "federated": "federated",
    "service": "service",
    "guest": "user",
}
"""Types of actors that are somebody themselves, and the kind of person that they are."""
DIRECTORY_ROLE = re.compile(
    r":role/aws-reserved/sso\.amazonaws\.com/(?:[a-z0-9-]+/)?AWSReservedSSO_[^/]+$"
)
"""Roles of Identity Center, which alone opens their sessions, and names them by its user. (Nobody else can make a role
below that path; the name alone anybody can give.)"""

_WORDS = re.compile(r"[<>(),;|]|mailto:")
"""What stands between names in one text."""


class MappedPerson(NamedTuple):
    """One person of the map."""

    id: str
    names: Sequence[str]


class People:
    """Persons by what they are called. `known`: the map that people write (settings `people`)."""

    def __init__(self, known: Iterable[MappedPerson] = ()) -> None:
        self.by_name: dict[str, str] = {}
        self.spelt: dict[str, list[str]] = {}
        for one in known:
            for name in (one.id, *one.names):
                self.by_name.setdefault(name.casefold(), one.id)
                self.spelt.setdefault(one.id, []).append(name)

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def id_of(self, name: str) -> str:
        """The person's id that goes by a name; the name itself where the map has none."""
        return self.by_name.get(name.casefold(), name) if self.by_name else name

    def called(self, name: str) -> list[str]:
        """All names of the person who goes by one; the name alone where the map has none."""
        id = self.by_name.get(name.casefold())
        return [
            name,
            *(
                other
                for other in self.spelt.get(id or "", ())
                if other.casefold() != name.casefold()
            ),
        ]

    def person(self, actor: Mapping[str, Any]) -> dict[str, Any]:
        """Who is behind an actor (both JSON-ready): the origin of its chain, else what its event says."""
        own = actor.get("person") or derive_person(actor)
        out = dict(own)
        if own["kind"] == UNKNOWN:
            origin = _origin(actor)
            if origin is not None:
                out = origin | ({"claimed": own["claimed"]} if own.get("claimed") else {})
        if self.by_name:
            for name in _map_names(out, actor):
                if (id := self.by_name.get(name.casefold())) is not None:
                    return out | {
                        "id": id,
                        "kind": "user" if out["kind"] == UNKNOWN else out["kind"],
                    }
        return out

    def key(self, actor: Mapping[str, Any], event: str) -> str:
        """By what two actors of events are known to be one: the person, else the session; else the event alone."""
        person = self.person(actor)
        if person["kind"] != UNKNOWN:
            return str(person["id"])
        return f"{person['id']}\n{actor.get('session') or event}"

    def names(self, actor: Mapping[str, Any]) -> set[str]:
        """All that an actor, or who took on its role, goes by, lower case; claims too."""
        person = self.person(actor)
        found = [actor.get(key) for key in ("id", "name", "session_name", "source_identity")]
        found += [person["id"], person.get("name"), person.get("claimed")]
        for link in actor.get("chain") or ():
            found += [
                link.get("issued_to"),
                (link.get("person") or {}).get("id"),
                (link.get("person") or {}).get("name"),
            ]
        whole = {name for name in found if name}
        every = (
            whole
            | {name.rsplit("/", 1)[-1] for name in whole}
            | {self.id_of(name) for name in whole}
        )
        return {name.casefold() for name in every}

    def is_known_as(self, name: str, known: Iterable[str]) -> bool:
        """Whether a name, as people write it, is among those of an actor (see `names`): it, the last word of it, or the
        person who goes by it in the map. `Ann Smith <ann@example.com>` and `ann, bob` are several names."""
        plain = unicodedata.normalize("NFKC", name)
        plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")
        every = {name, *(word.strip() for word in (plain, *_WORDS.split(plain)))} - {""}
        own = {form for one in every for form in (one, one.rsplit("/", 1)[-1], self.id_of(one))}
        return not {one.casefold() for one in own}.isdisjoint(known)


class PeopleCache(People):
    """The same map for one judgement, which asks for the same few actors again and again."""

    def __init__(self, people: People) -> None:
        self.by_name, self.spelt = people.by_name, people.spelt
        self._found: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}

    def person(self, actor: Mapping[str, Any]) -> dict[str, Any]:
        known = self._found.get(id(actor))  # by the object itself, which is kept beside
        if known is None:
            known = self._found[id(actor)] = (actor, super().person(actor))
        return known[1]


NOBODY_MAPPED = People()
PERSONS = ("user", "directory_user", "federated", "root")


def identify(actor: Mapping[str, Any], people: People = NOBODY_MAPPED) -> dict[str, Any]:
    """An actor as detections see it: with who is behind it (`person`), and two more fields.

    `person.distinct` is there only where it is known to be another one than all others of another value: for counting
    people. `principal` is the person where known, else the role or service: for habits."""
    person = people.person(actor)
    if person["kind"] in PERSONS:
        person = person | {"distinct": person["id"]}
    elif person["kind"] == WORKLOAD:
        person = person | {"distinct": actor.get("issuer") or without_session_name(actor["id"])}
    elif person["kind"] == SERVICE:
        person = person | {"distinct": person["id"]}
    principal = (
        person["id"]
        if person["kind"] in (*PERSONS, SERVICE)
        else actor.get("issuer") or without_session_name(actor["id"])
    )
    return {**actor, "person": person, "principal": principal}


def vouched_names(actor: Mapping[str, Any], people: People = NOBODY_MAPPED) -> set[str]:
    """The names of an actor that decide in its favour: those that the provider vouches for, and who is known to be behind
    it. Of a session's ARN not the name that the caller has chosen; a source identity never."""
    person = people.person(actor)
    known = person["id"] if person["kind"] != UNKNOWN else None
    given = {
        without_session_name(str(name)) for name in (actor.get("id"), actor.get("issuer")) if name
    }
    return given | ({known} if known else set())


def who_as(actor: Mapping[str, Any] | None) -> str:
    """An actor for people: the person, where that is known, and as whom; empty for nobody."""
    if not actor:
        return ""
    person = actor.get("person") or {}
    if person.get("kind", UNKNOWN) == UNKNOWN or person["id"] == actor["id"]:
        return str(actor["id"])
    return f"{person['id']} ({actor['id']})"


def without_session_name(id: str) -> str:
    """An id without what a session's caller has chosen of it."""
    return CHOSEN.sub(r"\1", id)


def derive_person(actor: Mapping[str, Any]) -> dict[str, Any]:
    """Who an actor is that an older version wrote, without its person."""
    issuer, name = actor.get("issuer") or "", actor.get("session_name")
    claim = actor.get("source_identity") or name
    if issuer and DIRECTORY_ROLE.search(issuer) and name:
        return _with_claim(directory_user(name), actor.get("source_identity"))
    if ":user/" in issuer:  # a session that a user opened without a role
        return _with_claim({"id": issuer, "kind": "user", "name": issuer.rsplit("/", 1)[-1]}, claim)
    kind = OWN_KINDS.get(actor["type"])
    if kind is not None and not issuer:
        return {"id": actor["id"], "kind": kind, "name": actor.get("name") or ""}
    id = issuer or actor["id"]
    return _with_claim({"id": f"{id}/{name}" if name else id, "kind": UNKNOWN, "name": ""}, claim)


def directory_user(name: str) -> dict[str, Any]:
    """A user of the organization's directory, by the user name that roles' sessions carry."""
    return {"id": name, "kind": "directory_user", "name": name}


def _with_claim(person: dict[str, Any], claim: str | None) -> dict[str, Any]:
    return person | ({"claimed": claim} if claim else {})


def _origin(actor: Mapping[str, Any]) -> dict[str, Any] | None:
    """The nearest link of a chain whose asker is known. What was given out for another role than the session's has
    nothing to do with it: whoever can write events may say of any credential who has it."""
    session: str | None = actor.get("session_name") or ""
    role = actor.get("issuer") or ""
    for link in actor.get("chain") or ():
        if _is_other_role(role, link.get("role") or ""):
            return None
        role = link["issued_to"]
        person = link.get("person") or _person_of_link(link["issued_to"])
        if person is None or person["kind"] == UNKNOWN:
            # its session's own name: that of the next role is chosen by whoever takes it
            before = CHOSEN.match((person or {}).get("id", ""))
            session = before[0][before.end(1) :] if before else None
            continue
        if (
            person["kind"] == SERVICE
        ):  # a function, a machine, a task: the service opened and named its session
            name = link["session"] if session is None else session
            id = "/".join(filter(None, (link.get("role"), name)))
            return {"id": id or person["id"], "kind": WORKLOAD, "name": session or ""}
        return {k: v for k, v in person.items() if k != "claimed"}
    return None


def _is_other_role(role: str, given: str) -> bool:
    """Whether two ARNs are of two roles."""
    return ":role/" in role and ":role/" in given and role.casefold() != given.casefold()


def _person_of_link(id: str) -> dict[str, Any] | None:
    """Of a link that an older version wrote."""
    if ":user/" in id or id.endswith(":root"):
        return {
            "id": id,
            "kind": "root" if id.endswith(":root") else "user",
            "name": id.rsplit("/", 1)[-1],
        }
    return None


def _map_names(person: Mapping[str, Any], actor: Mapping[str, Any]) -> Iterable[str]:
    """The names that the map is asked for: of an unknown person those of the role. Never a claim, and what a session is
    called is one."""
    name = person["id"] if person["kind"] != UNKNOWN else actor.get("issuer") or actor["id"]
    if without_session_name(name) == name and name != person.get("claimed"):
        yield name
