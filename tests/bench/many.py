"""`python -m tests.bench.many N`: a sweep of N queues whose answers are made inside this process, without HTTP.

Prints {resources, seconds, per_s, memory_mb}."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from driftline.collectors.aws.api.client import Account
from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.sweep.collect import sweep
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.pipeline.model import Snapshot
from tests.collectors.answers import Raw
from tests.collectors.moto import ENV

PAGE = 1000
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/queue-{}"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                     "Action": "sqs:*", "Resource": "*"}]})  # fmt: skip
CALLER = b"""<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/bench</Arn>
<UserId>U</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


def answer(size: int, request: Any, event_name: str) -> AWSResponse:
    operation = event_name.rpartition(".")[2]
    if operation == "GetCallerIdentity":
        return AWSResponse(request.url, 200, HTTPHeaders(), Raw(CALLER))
    body: dict[str, Any]
    if operation == "ListQueues":
        at = int(json.loads(request.body).get("NextToken", 0))
        body = {"QueueUrls": [URL.format(n) for n in range(at, min(size, at + PAGE))]}
        body |= {"NextToken": str(at + PAGE)} if at + PAGE < size else {}
    elif operation == "GetQueueAttributes":
        body = {"Attributes": {"Policy": POLICY, "SqsManagedSseEnabled": "true", "MessageRetentionPeriod": "345600"}}  # fmt: skip
    else:
        body = {"Tags": {"env": "prod"}}
    return AWSResponse(request.url, 200, HTTPHeaders(), Raw(json.dumps(body).encode()))


def _answered(make: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Clients whose calls are answered by answer()."""

    def client(*given: Any) -> Any:
        made = make(*given)
        made.meta.events.register_first(
            "before-send", lambda request, event_name, **_: answer(size, request, event_name), unique_id="double"
        )  # fmt: skip
        return made

    return client


def main(size: int) -> None:
    for owner, name in ((Account, "client"), (Organization, "_client")):
        setattr(owner, name, _answered(getattr(owner, name), size))
    count, memory, process = 0, 0.0, psutil.Process()

    def emit(record: object) -> None:
        nonlocal count, memory
        if isinstance(record, Snapshot):
            count += 1
            record.encode()  # what a collector does with it
            if count % 500 == 0:
                memory = max(memory, process.memory_info().rss / 1e6)

    began = time.monotonic()
    options = CollectOptions(regions=["us-east-1"], types=["AWS::SQS::Queue"], accounts=["123456789012"], requests_per_second=1e6)  # fmt: skip
    sweep(options, {}, emit)
    took = time.monotonic() - began
    if count != size:
        raise SystemExit(f"{count} of {size} queues were read")
    sys.stdout.write(
        json.dumps(
            {"resources": count, "seconds": took, "per_s": count / took, "memory_mb": memory}
        )
    )


if __name__ == "__main__":
    os.environ.update(ENV)
    main(int(sys.argv[1]))
