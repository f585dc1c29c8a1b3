"""AWS by boto3, and only here: sessions, roles, a request budget, clients."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    PaginationError,
)

from collectors.aws.errors import ERRORS, NotOffered
from collectors.aws.mistakes import user_error
from collectors.aws.models import SlimLoader
from collectors.aws.partitions import DEFAULT, home

TOKENS = ("NextToken", "nextToken", "NextMarker")
"""Where an answer says that there is more: botocore knows no pages of some operations that have them."""


class Stopped(Exception):
    """The sweep was called off: no answer, and nothing to say about it."""


class Budget:
    """At most so many requests a second, over all threads of an account."""

    def __init__(self, rate: float, stop: threading.Event) -> None:
        self._gap, self._next, self._lock, self._stop = 1 / rate, 0.0, threading.Lock(), stop

    def wait(self) -> None:
        """Returns when the next request may go. Raises Stopped."""
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now - 1) + self._gap  # a second's worth may come at once
            pause = self._next - now
        if self._stop.wait(pause) if pause > 0 else self._stop.is_set():
            raise Stopped


def own_endpoint() -> bool:
    """Whether AWS is an endpoint of one's own (a simulated one, a proxy): it has no host for each account."""
    return any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ)


@cache
def _loader() -> SlimLoader:
    return SlimLoader()  # read once, not once an account


def _config(connections: int) -> Config:
    # standard mode backs off with jitter and honours Retry-After; the budget counts every attempt
    return Config(
        retries={"mode": "standard", "max_attempts": 6}, max_pool_connections=connections, connect_timeout=10,
        read_timeout=30, user_agent_extra="driftline", s3={"addressing_style": "path" if own_endpoint() else "auto"},
    )  # fmt: skip


def _once(config: Config) -> Config:
    """For where there may be no endpoint: a name that is not there is not asked for six times."""
    once: Config = config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    return once


class Account:
    """One account as it can be read now."""

    def __init__(
        self,
        session: Any,
        account: str,
        partition: str,
        rate: float,
        connections: int,
        stop: threading.Event | None = None,
    ) -> None:
        self.id, self.partition, self._session = account, partition, session
        self.calls = 0
        self._stop = stop or threading.Event()
        self._budget = Budget(rate, self._stop)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._config = _config(connections)

    def client(self, service: str, region: str) -> Any:
        """A client; made once."""
        with self._lock:  # sessions are not safe for threads, clients are
            key = (service, region)
            if key not in self._clients:
                config = self._config if self.offers(service, region) else _once(self._config)
                client = self._session.client(service, region_name=region, config=config)
                client.meta.events.register("before-send", self._before_send)
                if own_endpoint():
                    home = urlsplit(client.meta.endpoint_url).netloc

                    def to_own_host(request: Any, home: str = home, **_: Any) -> None:
                        parts = urlsplit(request.url)
                        if parts.netloc == f"{self.id}.{home}":
                            request.url = urlunsplit(parts._replace(netloc=home))

                    client.meta.events.register("before-sign", to_own_host)
                self._clients[key] = client
            return self._clients[key]

    def offers(self, service: str, region: str) -> bool:
        """Whether botocore lists an endpoint of a service in a region. Its list may be older than the region, so it
        only decides what it means that nobody answers there."""
        if own_endpoint():
            return True
        listed = self._session.get_available_regions(service, self.partition)
        return not listed or region in listed

    def release(self, region: str) -> None:
        """Forgets a region's clients: a large organization has thousands."""
        with self._lock:
            for key in [key for key in self._clients if key[1] == region]:
                self._clients.pop(key).close()

    def _before_send(self, **_: Any) -> None:
        self.calls += 1
        self._budget.wait()

    def call(self, service: str, region: str, operation: str, params: Mapping[str, Any]) -> Any:
        """One call's whole answer, all pages of it. Raises ERRORS (see errors.trouble) and Stopped."""
        client, method = self._ready(service, region), xform_name(operation)
        with self._there(service, region):
            if client.can_paginate(method):
                return client.get_paginator(method).paginate(**params).build_full_result()
            first, *others = _followed(client, operation, params)
        answer: dict[str, Any] = {k: v for k, v in first.items() if k != "ResponseMetadata"}
        for page in others:
            answer |= {k: answer.get(k, []) + v for k, v in page.items() if isinstance(v, list)}
        return {k: v for k, v in answer.items() if not (others and k in TOKENS)}

    def pages(
        self, service: str, region: str, operation: str, params: Mapping[str, Any]
    ) -> Iterator[Any]:
        """The pages of a list call, one by one: memory stays flat. Raises as call() does."""
        client, method = self._ready(service, region), xform_name(operation)
        with self._there(service, region):
            if client.can_paginate(method):
                yield from client.get_paginator(method).paginate(**params)
            else:
                yield from _followed(client, operation, params)

    @contextmanager
    def _there(self, service: str, region: str) -> Iterator[None]:
        try:
            yield
        except EndpointConnectionError as error:
            if self.offers(service, region):
                raise
            raise NotOffered(service=service, region=region) from error

    def _ready(self, service: str, region: str) -> Any:
        if self._stop.is_set():
            raise Stopped
        return self.client(service, region)


def _followed(client: Any, operation: str, params: Mapping[str, Any]) -> Iterator[Any]:
    """The pages of an operation of which botocore does not know that it has any."""
    ask, name = getattr(client, xform_name(operation)), _token(client, operation)
    asked = dict(params)
    while True:
        answer = ask(**asked)
        yield answer
        if name is None or not (token := answer.get(name)):
            return
        if token == asked.get(name) and name == "NextMarker":
            return  # some give the last marker again at the end
        if token == asked.get(name):
            raise PaginationError(message="the same token twice")
        asked[name] = token


def _token(client: Any, operation: str) -> str | None:
    """What an operation calls the way to its next page; None where it has but one."""
    model = client.meta.service_model.operation_model(operation)
    if model.input_shape is None or model.output_shape is None:
        return None
    both = model.input_shape.members.keys() & model.output_shape.members.keys()
    return next((name for name in TOKENS if name in both), None)


class Organization:
    """The caller, and the accounts that it may walk."""

    def __init__(
        self, profile: str | None, role_arn: str | None, external_id: str | None, rate: float, connections: int,
        stop: threading.Event | None = None,
    ) -> None:  # fmt: skip
        """Raises UserError where there are no usable credentials."""
        self._external_id, self._rate, self._connections = external_id, rate, connections
        self._stop = stop or threading.Event()
        try:
            inner = botocore.session.get_session()
            inner.register_component("data_loader", _loader())
            self._session = boto3.Session(profile_name=profile, botocore_session=inner)
            if role_arn:
                self._session = self._assumed(role_arn)
            caller = self._client("sts", self.region).get_caller_identity()
        except ERRORS as error:
            raise user_error(error) from None
        self.account, self.caller = str(caller["Account"]), str(caller["Arn"])
        self.partition = self.caller.split(":")[1]

    @property
    def home(self) -> str:
        """Where the global services of the caller's partition answer: Organizations, IAM, the list of buckets."""
        return home(self.partition)

    def _client(self, service: str, region: str) -> Any:
        session: Any = self._session  # which client it is, only the row knows
        return session.client(service, region_name=region, config=_config(10))

    def own(self, service: str, region: str | None) -> Any:
        """A client of the caller's own account, outside of every budget: for queues and the files that they name."""
        return self._client(service, region or self.region)

    @property
    def region(self) -> str:
        """The caller's own region; where none is set, the one that every account of `aws` has."""
        return self._session.region_name or home(DEFAULT)

    def accounts(self) -> list[str]:
        """Every active account of the organization. Raises UserError where it may not be listed."""
        return [account for account, active in self.listed().items() if active]

    def listed(self) -> dict[str, bool]:
        """Every account of the organization, and whether it is active (not suspended, or about to be closed). Raises
        UserError where they may not be listed."""
        try:
            pages = (
                self._client("organizations", self.home).get_paginator("list_accounts").paginate()
            )
            listed = [account for page in pages for account in page["Accounts"]]
        except (ClientError, BotoCoreError) as error:
            raise user_error(
                error,
                "the organization's accounts cannot be listed",
                "use the management or a delegated account, or name them: --accounts ID,ID",
            ) from None
        states = {a["Id"]: (a.get("State") or a.get("Status") or "ACTIVE") for a in listed}
        return {id: states[id] == "ACTIVE" for id in sorted(states)}

    def describe(self) -> str:
        """The organization's id. Raises ERRORS where there is none or it may not be asked."""
        answer = self._client("organizations", self.home).describe_organization()
        return str(answer["Organization"]["Id"])

    def list(self, operation: str, items: str, **params: str) -> Iterator[dict[str, Any]]:
        """What a list call of Organizations gives, page by page. Raises ERRORS."""
        client = self._client("organizations", self.home)
        for page in client.get_paginator(xform_name(operation)).paginate(**params):
            yield from page[items]

    def enter(self, account: str, role: str) -> Account:
        """An account by its role; the caller's own by its own credentials. Raises ERRORS where denied."""
        session = self._session
        if account != self.account:
            session = self._assumed(f"arn:{self.partition}:iam::{account}:role/{role}")
        return Account(session, account, self.partition, self._rate, self._connections, self._stop)

    def _assumed(self, role_arn: str) -> Any:
        sts, extra = self._client("sts", self.region), {}
        if self._external_id:
            extra["ExternalId"] = self._external_id

        def fetch() -> dict[str, str]:
            answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="driftline", **extra)[
                "Credentials"
            ]
            return {
                "access_key": answer["AccessKeyId"], "secret_key": answer["SecretAccessKey"],
                "token": answer["SessionToken"], "expiry_time": answer["Expiration"].isoformat(),
            }  # fmt: skip

        first = fetch()  # a denial must show now, not at the first call
        inner = botocore.session.get_session()
        inner.register_component("data_loader", _loader())
        credentials = RefreshableCredentials.create_from_metadata(first, fetch, "assume-role")
        inner._credentials = credentials  # type: ignore[attr-defined]  # noqa: SLF001 - botocore has no public way
        inner.set_config_variable("region", self.region)
        return boto3.Session(botocore_session=inner)


def enabled_regions(account: Account, home: str) -> list[str]:
    """The regions that the account has switched on. Raises ERRORS."""
    answer = account.call("ec2", home, "DescribeRegions", {})
    return sorted(region["RegionName"] for region in answer["Regions"])
