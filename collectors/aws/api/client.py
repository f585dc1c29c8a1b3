"""Access to an AWS account through boto3: clients, rate-limited calls (driftline.collectors.aws.api.pacing), pages."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, PaginationError

from driftline.collectors.aws.api.botocore_loader import SlimLoader
from driftline.collectors.aws.api.errors import THROTTLED, NotOffered
from driftline.collectors.aws.api.pacing import CallPacer
from driftline.collectors.base import SweepStopped

TOKENS = ("NextToken", "nextToken", "NextMarker")
"""The markers of further pages, for operations whose paging botocore does not know."""


def own_endpoint() -> bool:
    """Whether a custom AWS endpoint is used (a simulation, a proxy), without per-account hosts."""
    return any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ)


@cache
def loader() -> SlimLoader:
    """What knows AWS's services."""
    return SlimLoader()  # read once, not once an account


def config(connections: int) -> Config:
    """Client configuration: time-outs, retries and connections."""
    # standard mode backs off with jitter and honours Retry-After; the rate limit counts every attempt
    return Config(
        retries={"mode": "standard", "max_attempts": 6}, max_pool_connections=connections, connect_timeout=10,
        read_timeout=30, user_agent_extra="driftline", s3={"addressing_style": "path" if own_endpoint() else "auto"},
    )  # fmt: skip


def _once(config: Config) -> Config:
    """For services that may have no endpoint in a region: fewer attempts to resolve the name."""
    once: Config = config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    return once


class Account:
    """An account with current credentials."""

    def __init__(
        self,
        session: Any,
        account: str,
        partition: str,
        rate: float | None,
        connections: int,
        stop: threading.Event | None = None,
    ) -> None:
        self.id, self.partition, self._session = account, partition, session
        self.calls = 0
        self._stop = stop or threading.Event()
        self._pace = CallPacer(rate, self._stop)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._config = config(connections)

    def client(self, service: str, region: str) -> Any:
        """A client; made once."""
        with self._lock:  # sessions are not thread-safe, clients are
            key = (service, region)
            if key not in self._clients:
                config = self._config if self.offers(service, region) else _once(self._config)
                client = self._session.client(service, region_name=region, config=config)
                self._paced(client, service, region)
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
        only decides how to interpret a missing endpoint."""
        if own_endpoint():
            return True
        listed = self._session.get_available_regions(service, self.partition)
        return not listed or region in listed

    def release(self, region: str) -> None:
        """Drops a region's clients: a large organization has thousands."""
        with self._lock:
            for key in [key for key in self._clients if key[1] == region]:
                self._clients.pop(key).close()

    def _paced(self, client: Any, service: str, region: str) -> None:
        """Rate-limits every attempt of a call, and reports throttling."""

        def before(event_name: str, **_: Any) -> None:
            self.calls += 1
            self._pace.wait(service, region, event_name.rpartition(".")[2])

        def after(event_name: str, parsed_response: Any = None, **_: Any) -> None:
            code = ((parsed_response or {}).get("Error") or {}).get("Code")
            if code in THROTTLED:
                self._pace.throttled(service, region, event_name.rpartition(".")[2])

        client.meta.events.register("before-send", before)
        client.meta.events.register("response-received", after)

    def call(self, service: str, region: str, operation: str, params: Mapping[str, Any]) -> Any:
        """The complete response of a call, all pages. Raises ERRORS (see errors.trouble) and Stopped."""
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
        """The pages of a list call, one by one, to limit memory. Raises like call()."""
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
            raise SweepStopped
        return self.client(service, region)


def _followed(client: Any, operation: str, params: Mapping[str, Any]) -> Iterator[Any]:
    """The pages of an operation whose paging botocore does not know."""
    ask, name = getattr(client, xform_name(operation)), _token(client, operation)
    asked = dict(params)
    while True:
        answer = ask(**asked)
        yield answer
        if name is None or not (token := answer.get(name)):
            return
        if token == asked.get(name) and name == "NextMarker":
            return  # some operations repeat the last marker at the end
        if token == asked.get(name):
            raise PaginationError(message="the same token twice")
        asked[name] = token


def _token(client: Any, operation: str) -> str | None:
    """The paging parameters of an operation; None if it has only one page."""
    model = client.meta.service_model.operation_model(operation)
    if model.input_shape is None or model.output_shape is None:
        return None
    both = model.input_shape.members.keys() & model.output_shape.members.keys()
    return next((name for name in TOKENS if name in both), None)


def enabled_regions(account: Account, home: str) -> list[str]:
    """The regions enabled in the account. Raises ERRORS."""
    answer = account.call("ec2", home, "DescribeRegions", {})
    return sorted(region["RegionName"] for region in answer["Regions"])
