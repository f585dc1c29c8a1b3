"""AWS by boto3, and only here: sessions, roles, a request budget, and what an error means."""

import base64
import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from collectors.table import operation_method
from pipeline.errors import UserError
from pipeline.model import UnreadReason, rfc3339

DENIED = ("AccessDenied", "UnauthorizedOperation", "AuthorizationError", "Forbidden", "NotAuthorized", "OptInRequired",
          "UnrecognizedClient", "InvalidClientTokenId", "ExpiredToken", "SubscriptionRequired", "AuthFailure")  # fmt: skip
THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "BandwidthLimit", "PriorRequestNotComplete")
UNSUPPORTED = ("UnknownOperation", "InvalidAction", "NotImplemented", "UnsupportedOperation")
CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound, TokenRetrievalError, NoRegionError)


class Trouble(NamedTuple):
    """A call that gave no answer, and why."""

    reason: Literal["absent", "gone"] | UnreadReason
    code: str
    message: str


class Budget:
    """At most so many requests a second, over all threads of an account."""

    def __init__(self, rate: float) -> None:
        self._gap, self._next, self._lock = 1 / rate, 0.0, threading.Lock()

    def wait(self, **_: Any) -> None:
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now - 1) + self._gap  # a second's worth may come at once
            pause = self._next - now
        if pause > 0:
            time.sleep(pause)


def trouble(error: Exception, absent: tuple[str, ...] = (), gone: tuple[str, ...] = ()) -> Trouble:
    """What an exception means. What is not known for sure is `failed`: neither absent nor denied."""
    if not isinstance(error, ClientError):
        return Trouble("failed", type(error).__name__, str(error)[:300])
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    message = str(error.response.get("Error", {}).get("Message", ""))[:300]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in absent:
        return Trouble("absent", code, message)
    if code in gone:
        return Trouble("gone", code, message)
    if any(word in code for word in DENIED) or status == 403:
        return Trouble("denied", code, message)
    if any(word in code for word in THROTTLED) or status == 429:
        return Trouble("throttled", code, message)
    if any(word in code for word in UNSUPPORTED) or status == 501:
        return Trouble("unsupported", code, message)
    return Trouble("failed", code, message)


class Account:
    """One account as it can be read now."""

    def __init__(self, session: Any, account: str, partition: str, rate: float, connections: int) -> None:
        self.id, self.partition, self._session = account, partition, session
        self.calls = 0
        self._budget = Budget(rate)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        # standard mode backs off with jitter and honours Retry-After; the budget counts every attempt
        self._config = Config(
            retries={"mode": "standard", "max_attempts": 6}, max_pool_connections=connections,
            connect_timeout=10, read_timeout=60, user_agent_extra="driftline",
            # an endpoint of one's own (a simulated AWS) has no host for each account
            inject_host_prefix=not any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ),
        )  # fmt: skip

    def client(self, service: str, region: str) -> Any:
        with self._lock:  # sessions are not safe for threads, clients are
            key = (service, region)
            if key not in self._clients:
                client = self._session.client(service, region_name=region, config=self._config)
                client.meta.events.register("before-send", self._before_send)
                self._clients[key] = client
            return self._clients[key]

    def _before_send(self, **_: Any) -> None:
        self.calls += 1
        self._budget.wait()

    def call(self, service: str, region: str, operation: str, params: Mapping[str, Any]) -> Any:
        """One call's whole answer, all pages of it. Raises botocore's exceptions (see trouble())."""
        client, method = self.client(service, region), operation_method(operation)
        if client.can_paginate(method):
            return client.get_paginator(method).paginate(**params).build_full_result()
        answer = getattr(client, method)(**params)
        answer.pop("ResponseMetadata", None)
        return answer

    def pages(self, service: str, region: str, operation: str, params: Mapping[str, Any]) -> Iterator[Any]:
        """The pages of a list call, one by one: memory stays flat."""
        client, method = self.client(service, region), operation_method(operation)
        if client.can_paginate(method):
            yield from client.get_paginator(method).paginate(**params)
        else:
            yield getattr(client, method)(**params)


class Organization:
    """The caller, and the accounts that it may walk."""

    def __init__(self, profile: str | None, role_arn: str | None, external_id: str | None, rate: float, connections: int) -> None:
        """Raises UserError where there are no usable credentials."""
        self._external_id, self._rate, self._connections = external_id, rate, connections
        try:
            self._session = boto3.Session(profile_name=profile)
            if role_arn:
                self._session = self._assumed(role_arn)
            caller = self._session.client("sts", region_name=self.region).get_caller_identity()
        except CREDENTIALS as error:
            raise UserError(
                f"AWS credentials: {error} (set AWS_PROFILE or the standard AWS variables, or use --profile)"
            ) from None
        except (ClientError, BotoCoreError) as error:
            hint = "is AWS_ENDPOINT_URL right?" if isinstance(error, EndpointConnectionError) else "try: aws sts get-caller-identity"
            raise UserError(f"AWS: {error} ({hint})") from None
        self.account, self.partition = str(caller["Account"]), str(caller["Arn"]).split(":")[1]

    @property
    def region(self) -> str:
        return self._session.region_name or "us-east-1"

    def accounts(self) -> list[str]:
        """Every active account of the organization. Raises UserError where it may not be listed."""
        try:
            client = self._session.client("organizations", region_name="us-east-1")
            pages = client.get_paginator("list_accounts").paginate()
            listed = [a for page in pages for a in page["Accounts"]]
        except (ClientError, BotoCoreError) as error:
            raise UserError(
                f"the organization's accounts cannot be listed: {error} (use the management or a delegated account, or name them: --accounts ID,ID)"
            ) from None
        return sorted(a["Id"] for a in listed if a.get("Status", a.get("State", "ACTIVE")) == "ACTIVE")

    def organization_id(self) -> str | None:
        """The organization's id; None where there is none or it may not be asked."""
        try:
            client = self._session.client("organizations", region_name="us-east-1")
            return str(client.describe_organization()["Organization"]["Id"])
        except (ClientError, BotoCoreError):
            return None

    def enter(self, account: str, role: str) -> Account:
        """An account by its role; the caller's own by its own credentials. Raises ClientError where denied."""
        if account == self.account:
            session = self._session
        else:
            session = self._assumed(f"arn:{self.partition}:iam::{account}:role/{role}")
        return Account(session, account, self.partition, self._rate, self._connections)

    def _assumed(self, role_arn: str) -> Any:
        from botocore.credentials import DeferredRefreshableCredentials
        from botocore.session import get_session

        def fetch() -> dict[str, str]:
            extra = {"ExternalId": self._external_id} if self._external_id else {}
            sts = base.client("sts", region_name=region)
            answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="driftline", **extra)["Credentials"]
            return {
                "access_key": answer["AccessKeyId"], "secret_key": answer["SecretAccessKey"],
                "token": answer["SessionToken"], "expiry_time": answer["Expiration"].isoformat(),
            }  # fmt: skip

        base, region = self._session, self.region
        fetch()  # a denial must show now, not at the first call
        inner = get_session()
        inner._credentials = DeferredRefreshableCredentials(fetch, "assume-role")  # noqa: SLF001 - botocore offers no public way
        inner.set_config_variable("region", region)
        return boto3.Session(botocore_session=inner)


def enabled_regions(account: Account, home: str) -> list[str]:
    """The regions that the account has switched on. Raises botocore's exceptions."""
    answer = account.call("ec2", home, "DescribeRegions", {})
    return sorted(region["RegionName"] for region in answer["Regions"])


def plain(value: Any) -> Any:
    """An answer as JSON can hold it: times as RFC 3339, bytes as base64."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return float(value) if isinstance(value, Decimal) else value
