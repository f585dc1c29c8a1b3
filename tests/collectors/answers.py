"""Recorded HTTP answers, played back through the real client: parsing, paging and error codes are botocore's own.

`python -m tests.collectors.answers [TYPE …]` records them anew, from a simulated AWS (not from Amazon's). What that
cannot answer is written by hand: a call {call, answer} or {call, error, status}, checked against the service's model."""

import io
import json
import os
import sys
from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.validate import ParamValidator

from driftline.collectors.aws.api.botocore_loader import SlimLoader
from driftline.collectors.aws.api.client import Account
from driftline.collectors.aws.api.errors import ERRORS
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.sweep.read import (
    CallCache,
    ScopeContext,
    items,
    resource,
)
from driftline.collectors.base import Vanished
from driftline.collectors.redact import Redactor
from driftline.collectors.rows.build import GLOBAL
from driftline.pipeline.common.yaml_source import nearest
from driftline.pipeline.model import CloudAccount, Snapshot
from tests.collectors.moto import ENV, MASTER, furnish, running

LOADER = SlimLoader()
"""As the collector's: the models are read once."""
FOLDER = Path(__file__).parent / "recorded"
KEPT = ("content-type", "x-amzn-errortype", "x-amzn-query-error")


class Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.getvalue()


@cache
def _session() -> boto3.Session:
    """One for all: what a test hears and answers is its clients' own."""
    inner = botocore.session.get_session()
    inner.register_component("data_loader", LOADER)
    return boto3.Session(
        ENV["AWS_ACCESS_KEY_ID"], "not-a-secret", None, "us-east-1", botocore_session=inner
    )


class Replayed(Account):
    """An account whose every answer is a recorded one, in the order of the recording."""

    def __init__(self, calls: list[dict[str, Any]]) -> None:
        super().__init__(_session(), MASTER, "aws", 1e6, 4)
        self._config = self._config.merge(
            Config(retries={"mode": "standard", "total_max_attempts": 1})
        )
        self.left: defaultdict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self.asked: list[str] = []
        for call in calls:
            self.left[call["call"]].append(call)

    def client(self, service: str, region: str) -> Any:
        client = super().client(service, region)
        client.meta.events.register_first("before-send", self._answer, unique_id="replay")
        client.meta.events.register_first("before-call", self._by_hand, unique_id="by-hand")
        return client

    def _by_hand(self, model: Any, event_name: str, **_: Any) -> tuple[AWSResponse, Any] | None:
        """The answer where it was written by hand; in the way of botocore's own Stubber."""
        name = event_name.removeprefix("before-call.")
        if not (self.left[name] and {"answer", "error"} & self.left[name][0].keys()):
            return None
        self.asked.append(name)
        call = self.left[name].popleft()
        if "error" in call:
            told = {"Code": call["error"], "Message": call.get("message", "no")}
            return AWSResponse("", call["status"], HTTPHeaders(), Raw()), {
                "Error": told,
                "ResponseMetadata": {},
            }
        problems = ParamValidator().validate(call["answer"], model.output_shape)
        if problems.has_errors():
            raise ValueError(f"{name}: {problems.generate_report()}")
        parsed = _timed(call["answer"], model.output_shape)
        return AWSResponse("", 200, HTTPHeaders(), Raw()), parsed | {"ResponseMetadata": {}}

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        name = event_name.removeprefix("before-send.")
        self.asked.append(name)
        if not self.left[name]:
            raise LookupError(
                f"no recorded answer for {name} (record them anew: python -m tests.collectors.answers)"
            )
        call = self.left[name].popleft()
        return AWSResponse(request.url, call["status"], call["headers"], Raw(call["body"].encode()))


def _timed(value: Any, shape: Any) -> Any:
    """An answer with its times as botocore gives them."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {name: _timed(one, shape.members[name]) for name, one in value.items()}
    if shape.type_name == "list":
        return [_timed(one, shape.member) for one in value]
    if shape.type_name == "map":
        return {name: _timed(one, shape.value) for name, one in value.items()}
    return datetime.fromisoformat(value) if shape.type_name == "timestamp" else value


def by_hand(type_: str) -> bool:
    """Whether any of a type's answers is not a simulated AWS's."""
    return any("headers" not in call for call in recorded(type_))


def context(account: Account, kind: Kind, region: str = "us-east-1") -> ScopeContext:
    scope = GLOBAL if kind.scope == "global" else region
    return ScopeContext(
        account,
        CloudAccount(kind="account", id=account.id),
        region,
        scope,
        "sweep",
        Redactor(b"k" * 32),
        CallCache(),
    )


def read_all(account: Account, kind: Kind, region: str = "us-east-1") -> list[Snapshot | Vanished]:
    """Every resource of a type, one after another."""
    where = context(account, kind, region)
    return [resource(kind, where, item, at) for item, at in items(kind, where)]


def recorded(type_: str) -> list[dict[str, Any]]:
    """The recorded calls of a type."""
    found: list[dict[str, Any]] = json.loads(
        (FOLDER / f"{type_.replace('::', '.')}.json").read_text()
    )
    return found


class _Recording(Account):
    def __init__(self, calls: list[dict[str, Any]]) -> None:
        super().__init__(boto3.Session(region_name="us-east-1"), MASTER, "aws", 1e6, 4)
        self._calls = calls

    def client(self, service: str, region: str) -> Any:
        client = super().client(service, region)
        client.meta.events.register_last("after-call", self._note, unique_id="record")
        return client

    def _note(self, http_response: Any, event_name: str, **_: Any) -> None:
        headers = {key.lower(): value for key, value in http_response.headers.items()}
        self._calls.append(
            {
                "call": event_name.removeprefix("after-call."),
                "status": http_response.status_code,
                "headers": {key: headers[key] for key in KEPT if key in headers},
                "body": http_response.text,
            }
        )


def failures(kind: Kind, calls: list[dict[str, Any]], found: list[Snapshot | Vanished]) -> list[str]:  # fmt: skip
    """Why a recording is none: calls that failed, parts that were not read or have no value in any resource."""
    read = [one if isinstance(one, Snapshot) else one.left for one in found]
    snapshots = [one for one in read if one is not None]
    out = [f"{one.uid}: {part.part} is unread ({part.reason}: {part.code})" for one in snapshots for part in one.unread]  # fmt: skip
    if len(snapshots) < len(found):
        out.append("a resource was listed, and the call that completes it did not find it")
    if out or not found:
        out += [f"{one['call']} answered {one['status']}: {' '.join(one['body'].split())[:300]}" for one in calls if one["status"] >= 400]  # fmt: skip
    if not found:
        return [*out, "no resource was listed (make one in tests/collectors/furnished)"]
    empty = [part for part in kind.parts if all(one.config.get(part) is None for one in snapshots)]
    return out or [f"{part} has no value in any resource (make one that has it in tests/collectors/furnished)" for part in empty]  # fmt: skip


def record(kind: Kind) -> tuple[list[dict[str, Any]], list[Snapshot | Vanished], list[str]]:
    """The calls of a row, what they gave, and why that is no recording."""
    calls: list[dict[str, Any]] = []
    try:
        found = read_all(_Recording(calls), kind)
    except (*ERRORS, ValueError) as error:
        return calls, [], [f"{type(error).__name__}: {error}", *failures(kind, calls, [])]
    return calls, found, failures(kind, calls, found)


def main() -> int:
    """Records the answers of the types named, or of every row. A recording with a failure is not written."""
    FOLDER.mkdir(exist_ok=True)
    wrong = [name for name in sys.argv[1:] if name not in kinds()]
    if wrong:
        sys.stderr.writelines(f"{name}: no row has this type{nearest(name, kinds())}\n" for name in wrong)  # fmt: skip
        return 2
    chosen = [kinds()[name] for name in sys.argv[1:]] or [
        k for k in kinds().values() if not by_hand(k.type)
    ]
    failed = 0
    with TemporaryDirectory() as folder, running(Path(folder)) as moto:
        os.environ.update(moto.env)
        furnish(moto)
        for kind in chosen:
            calls, found, problems = record(kind)
            failed += bool(problems)
            for problem in problems:
                sys.stderr.write(f"{kind.type}: {problem}\n")
            if problems:
                sys.stderr.write(f"{kind.type}: not written\n")
                continue
            path = FOLDER / f"{kind.type.replace('::', '.')}.json"
            path.write_text(json.dumps(calls, indent=1, ensure_ascii=False) + "\n")
            sys.stdout.write(f"{kind.type}: {len(found)} resources, {len(calls)} calls\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
