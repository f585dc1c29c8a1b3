"""Who is behind a call: one identity per person across users, roles, sessions, directories and accounts. Pure.

An identity that the provider vouches for is known: an IAM user, the root user, a directory user, the subject of an
identity provider, a service, or the origin of a chain of sessions. What only the caller states (a source identity,
the name of a role session) is a claim: it is shown, but never used as an identity."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

UNKNOWN, WORKLOAD, SERVICE = "unknown", "workload", "service"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""AWS's text in place of a name that does not exist (people type passwords there) or that is confidential."""
CHOSEN = re.compile(
    r"^(arn:[a-z-]+:sts::\d*:(?:assumed-role/[^/]+|federated-user)/|(?:AROA[0-9A-Z]+|\d{12}):).+$"
)
"""A session by its ARN, or by its unique id (which is all that another account sees): the caller chose what follows
the role."""
OWN_KINDS = {
    "user": "user",
    "root": "root",
    "federated": "federated",
    "service": "service",
    "guest": "user",
}
"""Actor types that are identities themselves, and the corresponding kind of person."""
DIRECTORY_ROLE = re.compile(
    r":role/aws-reserved/sso\.amazonaws\.com/(?:[a-z0-9-]+/)?AWSReservedSSO_[^/]+$"
)
"""Roles of Identity Center. Only Identity Center opens their sessions, and it names them after its user. (Nobody else
can create a role below that path; the bare name is available to anyone.)"""

_WORDS = re.compile(r"[<>(),;|]|mailto:")
"""Separators between names in one text."""


class MappedPerson(NamedTuple):
    """One person in the map."""

    id: str
    names: Sequence[str]


class People:
    """Resolves names to persons. `known`: the map that users maintain (settings `people`)."""

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
    """Returns the names that may count in an actor's favour: those that the provider vouches for, and the known
    person. The session name inside an ARN and the source identity are never included, because the caller chooses
    them."""
    person = people.person(actor)
    known = person["id"] if person["kind"] != UNKNOWN else None
    given = {
        without_session_name(str(name)) for name in (actor.get("id"), actor.get("issuer")) if name
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


def without_session_name(id: str) -> str:
    """Removes the session name that the caller chose from an id."""
    return CHOSEN.sub(r"\1", id)


def derive_person(actor: Mapping[str, Any]) -> dict[str, Any]:
    """Derives the person of an actor written by an older version, without `person`."""
    issuer, name = actor.get("issuer") or "", actor.get("session_name")
    claim = actor.get("source_identity") or name
    if issuer and DIRECTORY_ROLE.search(issuer) and name:
        return _with_claim(directory_user(name), actor.get("source_identity"))
    if ":user/" in issuer:  # a session opened by a user without a role
        return _with_claim({"id": issuer, "kind": "user", "name": issuer.rsplit("/", 1)[-1]}, claim)
    kind = OWN_KINDS.get(actor["type"])
    if kind is not None and not issuer:
        return {"id": actor["id"], "kind": kind, "name": actor.get("name") or ""}
    id = issuer or actor["id"]
    return _with_claim({"id": f"{id}/{name}" if name else id, "kind": UNKNOWN, "name": ""}, claim)


def directory_user(name: str) -> dict[str, Any]:
    """Returns a user of the organization's directory, by the user name that role sessions carry."""
    return {"id": name, "kind": "directory_user", "name": name}


def _with_claim(person: dict[str, Any], claim: str | None) -> dict[str, Any]:
    return person | ({"claimed": claim} if claim else {})


def _origin(actor: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the nearest person in a chain who is known. A link issued for another role than the session's is
    ignored: otherwise whoever can write events could attribute a credential to anyone."""
    session: str | None = actor.get("session_name") or ""
    role = actor.get("issuer") or ""
    for link in actor.get("chain") or ():
        if _is_other_role(role, link.get("role") or ""):
            return None
        role = link["issued_to"]
        person = link.get("person") or _person_of_link(link["issued_to"])
        if person is None or person["kind"] == UNKNOWN:
            # keep the name of this session: the name of the next role's session is chosen by its caller
            before = CHOSEN.match((person or {}).get("id", ""))
            session = before[0][before.end(1) :] if before else None
            continue
        if (
            person["kind"] == SERVICE
        ):  # a function, instance or task: the service opened and named its session
            name = link["session"] if session is None else session
            id = "/".join(filter(None, (link.get("role"), name)))
            return {"id": id or person["id"], "kind": WORKLOAD, "name": session or ""}
        return {k: v for k, v in person.items() if k != "claimed"}
    return None


def _is_other_role(role: str, given: str) -> bool:
    """Returns whether two ARNs belong to different roles."""
    return ":role/" in role and ":role/" in given and role.casefold() != given.casefold()


def _person_of_link(id: str) -> dict[str, Any] | None:
    """Returns the person of a link written by an older version."""
    if ":user/" in id or id.endswith(":root"):
        return {
            "id": id,
            "kind": "root" if id.endswith(":root") else "user",
            "name": id.rsplit("/", 1)[-1],
        }
    return None


def _map_names(person: Mapping[str, Any], actor: Mapping[str, Any]) -> Iterable[str]:
    """Returns the names to look up in the map; for an unknown person, those of the role. Claims are never included,
    and a session name is one."""
    name = person["id"] if person["kind"] != UNKNOWN else actor.get("issuer") or actor["id"]
    if without_session_name(name) == name and name != person.get("claimed"):
        yield name
