"""Readers of an SQS queue: a message is deleted only after Kafka has its changes and its wishes to read again.

Several readers side by side, each a thread with a sender of its own. What cannot be understood is buried and deleted;
what fails for another reason is left, and comes again when its visibility ends."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from urllib3.exceptions import HTTPError

from driftline.collectors.aws.api.errors import ERRORS
from driftline.collectors.aws.events.envelope import S3Object
from driftline.collectors.aws.sources.dispatch import EventDispatcher
from driftline.collectors.events.producer import EventProducer
from driftline.collectors.redact import safe
from driftline.pipeline.common.backoff import Backoff

log = logging.getLogger("driftline.collect")
WAIT = 2
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds that an empty queue is watched by one call: what ends us waits no longer."""
FETCHING = (*ERRORS, HTTPError)
"""What fetching a file from S3 may raise."""
LATER = 20
"""Seconds until a message that failed comes again."""


class Queue:
    """A queue, and how far it has been read."""

    def __init__(
        self, client: Any, url: str, visible_after: int = 60, now: Callable[[], float] = time.time
    ) -> None:
        """`visible_after`: seconds that a message is ours, unless they are extended."""
        self._client, self.url, self._now, self.visible_after = client, url, now, visible_after
        self._lock = threading.Lock()
        self._held: dict[str, str] = {}
        """Receipts of the messages under way, by message id."""
        self._sent: dict[str, float] = {}
        self.until = 0.0
        """Seconds since 1970 up to which everything that was sent to the queue is dealt with."""

    def receive(self) -> list[dict[str, Any]]:
        """Up to ten messages; ours until they are deleted or given back. Raises ERRORS."""
        asked = self._now()
        answer = self._client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=WAIT, VisibilityTimeout=self.visible_after,
            AttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )  # fmt: skip
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        with self._lock:
            for message in messages:
                self._held[message["MessageId"]] = message["ReceiptHandle"]
                sent = message.get("Attributes", {}).get("SentTimestamp")
                self._sent[message["MessageId"]] = int(sent) / 1000 if sent else asked
            oldest = min(self._sent.values(), default=None)
            if oldest is not None:
                self.until = max(self.until, oldest)
            elif not messages:
                self.until = max(self.until, asked)
        return messages

    def delete(self, messages: Sequence[dict[str, Any]]) -> None:
        """They are dealt with. One that cannot be deleted comes again, which harms nothing."""
        if not messages:
            return
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        answer = self._client.delete_message_batch(QueueUrl=self.url, Entries=entries)
        if answer.get("Failed"):
            log.warning("messages were not deleted", extra={"count": len(answer["Failed"]), "why": str(answer["Failed"][0])[:300]})  # fmt: skip
        self._let_go(messages)

    def give_back(self, messages: Sequence[dict[str, Any]], seconds: int) -> None:
        """They come again after so long."""
        with contextlib.suppress(*ERRORS):
            self._visibility([message["ReceiptHandle"] for message in messages], seconds)
        self._let_go(messages)

    def extend(self) -> None:
        """What is under way stays ours for longer."""
        with self._lock:
            held = list(self._held.values())
        with contextlib.suppress(*ERRORS):  # it then comes again, which harms nothing
            self._visibility(held, self.visible_after)

    def _visibility(self, receipts: Sequence[str], seconds: int) -> None:
        for start in range(0, len(receipts), 10):
            entries = [
                {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for n, receipt in enumerate(receipts[start : start + 10])
            ]
            self._client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def _let_go(self, messages: Sequence[dict[str, Any]]) -> None:
        with self._lock:
            for message in messages:
                self._held.pop(message["MessageId"], None)
                self._sent.pop(message["MessageId"], None)


def read(
    queue: Queue, sender: EventProducer, hearer: EventDispatcher, stop: threading.Event, *, once: bool = False,
    pause: Callable[[float], Any] | None = None,
) -> None:  # fmt: skip
    """One reader's loop; `once`: until the queue is empty. Raises OSError where Kafka takes nothing more."""
    pause = pause or stop.wait
    backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
    while not stop.is_set():
        try:
            messages = queue.receive()
            backoff.succeeded()
        except ERRORS as error:
            log.warning("the queue does not answer", extra={"queue": queue.url, "why": safe(str(error))[:300]})  # fmt: skip
            if once:
                raise
            pause(backoff.failed())
            continue
        if not messages and once:
            return
        _handle(queue, sender, hearer, messages)


def _handle(queue: Queue, sender: EventProducer, hearer: EventDispatcher, messages: Sequence[dict[str, Any]]) -> None:  # fmt: skip
    done, failed = [], []
    for message in messages:
        try:
            heard = hearer.message(str(message.get("Body", "")))
            for why, what in heard.letters():
                sender.bury(queue.url, why, what)
            if heard.bad:
                log.warning("poison", extra={"queue": queue.url, "message_id": message["MessageId"], "count": len(heard.bad) + heard.more, "why": heard.bad[0][0]})  # fmt: skip
            done.append(message)
        except FETCHING as error:
            log.warning("left to come again", extra={"queue": queue.url, "message_id": message["MessageId"], "why": safe(str(error))[:300]})  # fmt: skip
            failed.append(message)
    try:
        sender.flush()
    except OSError:
        queue.give_back(messages, 0)
        raise
    queue.give_back(failed, LATER)
    try:
        queue.delete(done)
    except ERRORS as error:  # they come again, which harms nothing
        log.warning("messages were not deleted", extra={"queue": queue.url, "why": safe(str(error))[:300]})  # fmt: skip


def opener(client: Callable[[str | None], Any]) -> Callable[[S3Object], Any]:
    """Fetches objects. `client` gives S3's client of a region."""

    @contextlib.contextmanager
    def open_(object_: S3Object) -> Iterator[BinaryIO]:
        version = {"VersionId": object_.version} if object_.version else {}
        answer = client(object_.region).get_object(Bucket=object_.bucket, Key=object_.key, **version)  # fmt: skip
        with contextlib.closing(answer["Body"]) as body:
            yield body

    return open_
