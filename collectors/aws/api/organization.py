"""The caller of AWS, and the accounts of an organization that it may walk."""

import threading
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.session
from botocore import xform_name
from botocore.credentials import RefreshableCredentials

from driftline.collectors.aws.api.client import Account, config, loader
from driftline.collectors.aws.api.environment_errors import ERRORS, user_error
from driftline.collectors.aws.api.partitions import DEFAULT, home


class Organization:
    """The caller, and the accounts that it may walk."""

    def __init__(
        self, profile: str | None, role_arn: str | None, external_id: str | None, rate: float | None, connections: int,
        stop: threading.Event | None = None,
    ) -> None:  # fmt: skip
        """Raises UserError where there are no usable credentials."""
        self._external_id, self._rate, self._connections = external_id, rate, connections
        self._stop = stop or threading.Event()
        try:
            inner = botocore.session.get_session()
            inner.register_component("data_loader", loader())
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
        return session.client(service, region_name=region, config=config(10))

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
        except ERRORS as error:
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
        inner.register_component("data_loader", loader())
        credentials = RefreshableCredentials.create_from_metadata(first, fetch, "assume-role")
        inner._credentials = credentials  # type: ignore[attr-defined]  # noqa: SLF001 - botocore has no public way
        inner.set_config_variable("region", self.region)
        return boto3.Session(botocore_session=inner)
