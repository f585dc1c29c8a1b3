"""What a call that gave no answer means. Denied, throttled, absent, gone and failed are never confused."""

from collections.abc import Collection
from typing import Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from driftline.collectors.base import ServiceNotOffered
from driftline.pipeline.model import UnreadReason

ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""What a call may raise; everything else is our own fault."""


class NotOffered(BotoCoreError, ServiceNotOffered):
    """A service without an endpoint in a region, and none in botocore's list of them either."""

    fmt = "{service} is not offered in {region}"


DENIED = frozenset({
    "AccessDenied", "AccessDeniedException", "AccessDeniedFault", "AccessDeniedError", "AccessControlDenied",
    "AllAccessDisabled", "AuthFailure", "AuthorizationError", "AuthorizationErrorException", "AuthorizationErrorFault",
    "ExplicitDeny", "Forbidden", "ForbiddenException", "InsufficientPrivilegesException", "InvalidClientTokenId",
    "KMSAccessDeniedException", "KmsAccessDeniedFault", "NotAuthorized", "NotAuthorizedException", "OptInRequired",
    "RegionDisabledException", "SubscriptionRequiredException", "UnauthorizedException", "UnauthorizedOperation",
    "UnrecognizedClientException", "403",
})  # fmt: skip
THROTTLED = frozenset({
    "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException.Throttled", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequests",
    "TooManyRequestsException", "TransactionInProgressException", "429",
})  # fmt: skip
UNSUPPORTED = frozenset({
    "InvalidAction", "NotImplemented", "UnknownOperationException", "UnsupportedOperation", "UnsupportedOperationException", "501",
})  # fmt: skip


class CallFailure(NamedTuple):
    """A call that gave no answer, and why."""

    reason: Literal["absent", "gone"] | UnreadReason
    code: str
    message: str

    @property
    def hidden(self) -> UnreadReason:
        """The reason as an unread part tells it; what the row did not expect here has failed."""
        return "failed" if self.reason == "absent" or self.reason == "gone" else self.reason


def trouble(
    error: Exception,
    absent: Collection[str] = (),
    gone: Collection[str] = (),
    absent_text: str = "",
) -> CallFailure:
    """What an exception means, `absent` (with a text in its message) and `gone` being the row's codes for that.

    What is not known for sure is `failed`: neither absent nor denied."""
    if isinstance(error, NotOffered):
        return CallFailure(
            "unsupported", "NotOffered", str(error)
        )  # says nothing about what is there
    if not isinstance(error, ClientError):
        return CallFailure("failed", type(error).__name__, str(error)[:300])
    told = error.response.get("Error", {})
    code, message = str(told.get("Code") or "Unknown"), str(told.get("Message") or "")[:300]
    if code in absent and absent_text in message:
        return CallFailure("absent", code, message)
    if code in gone:
        return CallFailure("gone", code, message)
    if code in DENIED:
        return CallFailure("denied", code, message)
    if code in THROTTLED:
        return CallFailure("throttled", code, message)
    if code in UNSUPPORTED:
        return CallFailure("unsupported", code, message)
    return CallFailure("failed", code, message)
