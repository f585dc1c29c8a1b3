"""`driftline forget` and `driftline accounts remove`: select findings by their latest records, and tell the stream to end them."""

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
    """What to forget: an account, optionally only a region or type in it, or one resource."""

    account: str | None = None
    uid: str | None = None
    region: str | None = None
    type: str | None = None

    def about(self, resource: Mapping[str, Any]) -> bool:
        """Whether a finding's resource is selected."""
        pairs = (
            ("account", self.account),
            ("uid", self.uid),
            ("region", self.region),
            ("type", self.type),
        )
        return all(wanted in (None, resource.get(name)) for name, wanted in pairs)


class Selection(Protocol):
    """Which resources are selected."""

    def about(self, resource: Mapping[str, Any]) -> bool: ...


@dataclass(frozen=True)
class WantedAccounts:
    """Whole accounts, each with its provider."""

    accounts: frozenset[tuple[str, str]]

    def about(self, resource: Mapping[str, Any]) -> bool:
        return (resource.get("provider"), resource.get("account")) in self.accounts

    def words(self, at: datetime) -> list[Gone]:
        """The record for the stream."""
        return [
            Gone.model_validate({"provider": provider, "account": id, "reason": "account_gone", "at": at})
            for provider, id in sorted(self.accounts)
        ]  # fmt: skip


@dataclass
class Ends:
    """What would end, as far as findings show."""

    resources: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    """Uids by account, region and type."""
    findings: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    open: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    owners: set[tuple[str, str]] = field(default_factory=set)
    """Providers and accounts."""

    def rows(self) -> list[dict[str, Any]]:
        """Number of combinations of account, region and type."""
        return [
            {
                "account": key[0], "region": key[1], "type": key[2], "resources": len(self.resources[key]),
                "findings": self.findings[key], "open": self.open[key],
            }
            for key in sorted(self.resources)
        ]  # fmt: skip


def ends(findings: Iterable[bytes], wanted: Selection) -> Ends:
    """What would end, according to the latest findings; records that are not findings are skipped."""
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
    """Tells every partition, then deletes the records of their sweeps (keys of `sweeps`). Raises UserError if Kafka
    does not accept it."""
    with explained(kafka):
        there(kafka, (CONTROL, SWEEPS))  # report an outage or a missing topic early
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
    """The control records: one for each selected provider and account."""
    owners = found.owners or ({(provider, wanted.account)} if wanted.account else set())
    about = {"uid": wanted.uid, "region": wanted.region, "type": wanted.type}
    return [
        Gone.model_validate(
            {"provider": p, "account": account, "reason": "forgotten", "at": at, **about}
        )
        for p, account in sorted(owners)
    ]
