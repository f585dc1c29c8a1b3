"""Recorded HTTP answers, played back through the real client: parsing, paging and error codes are botocore's own.

`python -m tests.collectors.answers [TYPE …]` records them anew, from a simulated AWS (not from Amazon's)."""

import io
import json
import os
import sys
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from collectors.aws.client import Account
from collectors.aws.read import GLOBAL, Context, Once, Vanished, items, resource
from collectors.redact import Redactor
from collectors.table import Kind, kinds
from pipeline.model import Snapshot
from tests.collectors.moto import ENV, MASTER, furnish, running

FOLDER = Path(__file__).parent / "recorded"
KEPT = ("content-type", "x-amzn-errortype", "x-amzn-query-error")


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.getvalue()


class Replayed(Account):
    """An account whose every answer is a recorded one, in the order of the recording."""

    def __init__(self, calls: list[dict[str, Any]]) -> None:
        session = boto3.Session(ENV["AWS_ACCESS_KEY_ID"], "not-a-secret", region_name="us-east-1")
        super().__init__(session, MASTER, "aws", 1e6, 4)
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
        return client

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        name = event_name.removeprefix("before-send.")
        self.asked.append(name)
        if not self.left[name]:
            raise LookupError(
                f"no recorded answer for {name} (record them anew: python -m tests.collectors.answers)"
            )
        call = self.left[name].popleft()
        return AWSResponse(
            request.url, call["status"], call["headers"], _Raw(call["body"].encode())
        )


def context(account: Account, kind: Kind, region: str = "us-east-1") -> Context:
    scope = GLOBAL if kind.scope == "global" else region
    return Context(account, None, region, scope, "sweep", Redactor(b"k" * 32), Once())


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


def main() -> None:
    """Records the answers of the types named, or of every row."""
    FOLDER.mkdir(exist_ok=True)
    chosen = [kinds()[name] for name in sys.argv[1:]] or list(kinds().values())
    with TemporaryDirectory() as folder, running(Path(folder)) as moto:
        os.environ.update(moto.env)
        furnish(moto)
        for kind in chosen:
            calls: list[dict[str, Any]] = []
            found = read_all(_Recording(calls), kind)
            path = FOLDER / f"{kind.type.replace('::', '.')}.json"
            path.write_text(json.dumps(calls, indent=1, ensure_ascii=False) + "\n")
            sys.stdout.write(f"{kind.type}: {len(found)} resources, {len(calls)} calls\n")


if __name__ == "__main__":
    main()
