"""Who is behind a call: one identity per person across users, roles, sessions, directories and accounts. Pure.

An identity that the provider vouches for is known: a user, the root user, a directory user, the subject of an
identity provider, a service, or the origin of a chain of sessions. What only the caller states (a source identity,
the name of a role session) is a claim: it is shown, but never used as an identity. What identities look like is the
provider's matter (driftline.pipeline.providers)."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from driftline.pipeline.providers.installed import identities as identities_of
from driftline.pipeline.providers.provider import Identities

UNKNOWN, WORKLOAD, SERVICE = "unknown", "workload", "service"
OWN_KINDS = {
    "user": "user",
    "root": "root",
    "federated": "federated",
    "service": "service",
    "guest": "user",
}
"""Actor types that are identities themselves, and the corresponding kind of person. A provider may have others."""
_WORDS = re.compile(r"[<>(),;|]|mailto:")
"""Separators between names in one text."""


class MappedPerson(NamedTuple):
    """One person in the map."""

    id: str
    names: Sequence[str]


class People:
    """Resolves names to persons. `known`: the map that users maintain (settings `people`); `provider`: whose actors they
    are; empty where that is not said."""

    def __init__(self, known: Iterable[MappedPerson] = (), provider: str = "") -> None:
        self.provider = provider
        self._of: dict[str, People] = {}
        self.by_name: dict[str, str] = {}
        self.spelt: dict[str, list[str]] = {}
        for one in known:
            for name in (one.id, *one.names):
                self.by_name.setdefault(name.casefold(), one.id)
                self.spelt.setdefault(one.id, []).append(name)

    def __bool__(self) -> bool:
        return bool(self.by_name)

    @property
    def identities(self) -> Identities:
        """What the ids of actors look like."""
        return identities_of(self.provider)

    def of(self, provider: str) -> "People":
        """Returns the same map for actors of a provider."""
        known = self._of.get(provider)
        if known is None:
            known = self._of[provider] = People((), provider)
            known.by_name, known.spelt = self.by_name, self.spelt
        return known

    def id_of(self, name: str) -> str:
        """Returns the id of the person with this name; the name itself if it is not in the map."""
        return self.by_name.get(name.casefold(), name) if self.by_name else name

    def called(self, name: str) -> list[str]:
        """Returns all names of the person with this name; only the name if it is not in the map."""
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
        """Returns the person behind an actor (both JSON-ready): the origin of its chain, else what its event says."""
        own = actor.get("person") or _derived(actor, self.identities)
        out = dict(own)
        if own["kind"] == UNKNOWN:
            origin = _origin(actor, self.identities)
            if origin is not None:
                out = origin | ({"claimed": own["claimed"]} if own.get("claimed") else {})
        if self.by_name:
            for name in self._map_names(out, actor):
                if (id := self.by_name.get(name.casefold())) is not None:
                    return out | {
                        "id": id,
                        "kind": "user" if out["kind"] == UNKNOWN else out["kind"],
                    }
        return out

    def _map_names(self, person: Mapping[str, Any], actor: Mapping[str, Any]) -> Iterable[str]:
        """Returns the names to look up in the map; for an unknown person, those of the role. Claims are never included,
        and a session name is one."""
        name = person["id"] if person["kind"] != UNKNOWN else actor.get("issuer") or actor["id"]
        if self.without_session_name(name) == name and name != person.get("claimed"):
            yield name

    def without_session_name(self, id: str) -> str:
        """Removes the session name that the caller chose from an id."""
        for pattern in self.identities.chosen:
            id = pattern.sub(r"\1", id)
        return id

    def key(self, actor: Mapping[str, Any], event: str) -> str:
        """Returns the key by which two actors count as the same: the person if known, else the session, else the
        event."""
        person = self.person(actor)
        if person["kind"] != UNKNOWN:
            return str(person["id"])
        return f"{person['id']}\n{actor.get('session') or event}"

    def names(self, actor: Mapping[str, Any]) -> set[str]:
        """Returns all names of an actor and of whoever assumed its role, casefolded, including claims."""
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
        """Returns whether a name, as people write it, is among those of an actor (see `names`): the name itself, its
        last segment, or the mapped person. `Ann Smith <ann@example.com>` and `ann, bob` are several names."""
        plain = unicodedata.normalize("NFKC", name)
        plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")
        every = {name, *(word.strip() for word in (plain, *_WORDS.split(plain)))} - {""}
        own = {form for one in every for form in (one, one.rsplit("/", 1)[-1], self.id_of(one))}
        return not {one.casefold() for one in own}.isdisjoint(known)


class PeopleCache(People):
    """The same map with a cache for one evaluation, which asks for the same few actors repeatedly."""

    def __init__(self, people: People) -> None:
        super().__init__((), people.provider)
        self.by_name, self.spelt = people.by_name, people.spelt
        self._found: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}

    def person(self, actor: Mapping[str, Any]) -> dict[str, Any]:
        known = self._found.get(id(actor))  # by identity; the object is kept alive beside it
        if known is None:
            known = self._found[id(actor)] = (actor, super().person(actor))
        return known[1]


NOBODY_MAPPED = People()
PERSONS = ("user", "directory_user", "federated", "root")


def identify(actor: Mapping[str, Any], people: People = NOBODY_MAPPED) -> dict[str, Any]:
    """Adds to an actor the person behind it and two fields for detections.

    `person.distinct` is present only where the person is known to differ from everyone with another value; it is used
    to count people. `principal` is the person if known, else the role or service; it is used by first_seen."""
    person = people.person(actor)
    if person["kind"] in PERSONS:
        person = person | {"distinct": person["id"]}
    elif person["kind"] == WORKLOAD:
        person = person | {
            "distinct": actor.get("issuer") or people.without_session_name(actor["id"])
        }
    elif person["kind"] == SERVICE:
        person = person | {"distinct": person["id"]}
    principal = (
        person["id"]
        if person["kind"] in (*PERSONS, SERVICE)
        else actor.get("issuer") or people.without_session_name(actor["id"])
    )
    return {**actor, "person": person, "principal": principal}


def vouched_names(actor: Mapping[str, Any], people: People = NOBODY_MAPPED) -> set[str]:
    """Returns the names that may count in an actor's favour: those that the provider vouches for, and the known
    person. The session name inside an ARN and the source identity are never included, because the caller chooses
    them."""
    person = people.person(actor)
    known = person["id"] if person["kind"] != UNKNOWN else None
    given = {
        people.without_session_name(str(name))
        for name in (actor.get("id"), actor.get("issuer"))
        if name
    }
    return given | ({known} if known else set())


def who_as(actor: Mapping[str, Any] | None) -> str:
    """Formats an actor: the person if known, and the identity used; empty without an actor."""
    if not actor:
        return ""
    person = actor.get("person") or {}
    if person.get("kind", UNKNOWN) == UNKNOWN or person["id"] == actor["id"]:
        return str(actor["id"])
    return f"{person['id']} ({actor['id']})"


def _derived(actor: Mapping[str, Any], identities: Identities) -> dict[str, Any]:
    """Derives the person of an actor whose record does not say it."""
    if (found := identities.derive(actor)) is not None:
        return found
    issuer, name = actor.get("issuer") or "", actor.get("session_name")
    claim = actor.get("source_identity") or name
    kind = identities.actor_kinds.get(actor["type"], OWN_KINDS.get(actor["type"]))
    if kind is not None and not issuer:
        return {"id": actor["id"], "kind": kind, "name": actor.get("name") or ""}
    id = issuer or actor["id"]
    return _with_claim({"id": f"{id}/{name}" if name else id, "kind": UNKNOWN, "name": ""}, claim)


def _with_claim(person: dict[str, Any], claim: str | None) -> dict[str, Any]:
    return person | ({"claimed": claim} if claim else {})


def _origin(actor: Mapping[str, Any], identities: Identities) -> dict[str, Any] | None:
    """Returns the nearest person in a chain who is known. A link issued for another role than the session's is
    ignored: otherwise whoever can write events could attribute a credential to anyone."""
    session: str | None = actor.get("session_name") or ""
    role = actor.get("issuer") or ""
    for link in actor.get("chain") or ():
        if identities.differ(role, link.get("role") or ""):
            return None
        role = link["issued_to"]
        person = link.get("person") or identities.derive_link(link["issued_to"])
        if person is None or person["kind"] == UNKNOWN:
            # keep the name of this session: the name of the next role's session is chosen by its caller
            session = _session_name((person or {}).get("id", ""), identities)
            continue
        if (
            person["kind"] == SERVICE
        ):  # a function, instance or task: the service opened and named its session
            name = link["session"] if session is None else session
            id = "/".join(filter(None, (link.get("role"), name)))
            return {"id": id or person["id"], "kind": WORKLOAD, "name": session or ""}
        return {k: v for k, v in person.items() if k != "claimed"}
    return None


def _session_name(id: str, identities: Identities) -> str | None:
    """Returns what the caller chose of an id; None if nothing."""
    found = next((m for pattern in identities.chosen if (m := pattern.match(id))), None)
    return found[0][found.end(1) :] if found else None
