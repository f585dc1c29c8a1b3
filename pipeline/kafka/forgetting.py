"""What `driftline forget` and `driftline accounts remove` end: which findings, by their last words; and the word to the stream."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson

from driftline.pipeline.kafka.client import Delivery, explained, flush, produce, producer
from driftline.pipeline.kafka.topics_admin import there
from driftline.pipeline.model import Control, Gone
from driftline.pipeline.records.topics import CONTROL, SWEEPS
from driftline.pipeline.settings.blocks import Kafka

TAIL = 30.0


@dataclass(frozen=True)
class Wanted:
    """What is to be forgotten: an account, perhaps only a region or type of it; or one resource."""

    account: str | None = None
    uid: str | None = None
    region: str | None = None
    type: str | None = None

    def about(self, resource: Mapping[str, Any]) -> bool:
        """Whether a finding's resource is meant."""
        pairs = (
            ("account", self.account),
            ("uid", self.uid),
            ("region", self.region),
            ("type", self.type),
        )
        return all(wanted in (None, resource.get(name)) for name, wanted in pairs)


class Selection(Protocol):
    """Which resources are meant."""

    def about(self, resource: Mapping[str, Any]) -> bool: ...


@dataclass(frozen=True)
class WantedAccounts:
    """Whole accounts, each with its provider."""

    accounts: frozenset[tuple[str, str]]

    def about(self, resource: Mapping[str, Any]) -> bool:
        return (resource.get("provider"), resource.get("account")) in self.accounts

    def words(self, at: datetime) -> list[Gone]:
        """What to tell the stream."""
        return [
            Gone.model_validate({"provider": provider, "account": id, "reason": "account_gone", "at": at})
            for provider, id in sorted(self.accounts)
        ]  # fmt: skip


@dataclass
class Ends:
    """What would end, as far as findings tell of it."""

    resources: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    """Uids by account, region and type."""
    findings: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    open: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    owners: set[tuple[str, str]] = field(default_factory=set)
    """Providers and accounts."""

    def rows(self) -> list[dict[str, Any]]:
        """One an account, region and type."""
        return [
            {
                "account": key[0], "region": key[1], "type": key[2], "resources": len(self.resources[key]),
                "findings": self.findings[key], "open": self.open[key],
            }
            for key in sorted(self.resources)
        ]  # fmt: skip


def ends(findings: Iterable[bytes], wanted: Selection) -> Ends:
    """What would end, by the last words on findings; what is no finding is passed over."""
    out = Ends()
    for value in findings:
        try:
            finding = orjson.loads(value)
            resource, retired, status = finding["resource"], finding["retired"], finding["status"]
            key = (str(resource["account"]), str(resource["region"]), str(resource["type"]))
            uid, provider = str(resource["uid"]), str(resource["provider"])
        except (ValueError, KeyError, TypeError):
            continue
        if retired or not wanted.about(resource):
            continue
        out.resources.setdefault(key, set()).add(uid)
        out.findings[key] += 1
        out.open[key] += status == "open"
        out.owners.add((provider, key[0]))
    return out


def say(kafka: Kafka, gone: Iterable[Gone], scopes: Iterable[bytes]) -> None:
    """Tells every partition, and then drops what is kept of their sweeps (keys of `sweeps`). Raises UserError where Kafka
    does not take it."""
    with explained(kafka):
        there(kafka, (CONTROL, SWEEPS))  # what is away or missing is told soon
        out, delivery = producer(kafka), Delivery()
        for one in gone:
            value = Control(gone=one).encode()
            for number in range(CONTROL.partitions):
                produce(out, delivery, CONTROL.name, value, partition=number)
        flush(out, delivery, TAIL)
        for key in scopes:
            produce(out, delivery, SWEEPS.name, None, key=key)
        flush(out, delivery, TAIL)


def words(found: Ends, wanted: Wanted, provider: str, at: datetime) -> list[Gone]:
    """What to tell the stream: one word for each provider and account meant."""
    owners = found.owners or ({(provider, wanted.account)} if wanted.account else set())
    about = {"uid": wanted.uid, "region": wanted.region, "type": wanted.type}
    return [
        Gone.model_validate(
            {"provider": p, "account": account, "reason": "forgotten", "at": at, **about}
        )
        for p, account in sorted(owners)
    ]
